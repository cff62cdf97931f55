#include "coordinator/metrics_server.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <optional>
#include <thread>
#include <utility>

#include "lib/base/log.h"
#include "lib/base/status.h"

namespace etude {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = boost::asio::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr int kMaxPort = 65535;
constexpr int kMaxWaiting = 64;                   // connections that are not accepted yet
constexpr std::size_t kMaxDrainBytes = 64 << 10;  // of a refused request, so that its answer comes
constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kMetricsText[] = "text/plain; version=0.0.4; charset=utf-8";

// An IP address as people write it, "[::1]" or "127.0.0.1", or "localhost".
std::optional<asio::ip::address> AddressOf(std::string host) {
  if (host == "localhost") return asio::ip::address_v4::loopback();
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  ErrorCode error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  return error ? std::nullopt : std::optional(address);
}

absl::StatusOr<tcp::endpoint> EndpointOf(const std::string& text) {
  const std::size_t colon = std::min(text.rfind(':'), text.size());
  const std::optional<asio::ip::address> address = AddressOf(text.substr(0, colon));
  int port = -1;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(std::min(text.data() + colon + 1, end), end, port);
  if (!address || error != std::errc() || parsed != end || port < 0 || port > kMaxPort) {
    return InvalidArgument("metrics address \"" + text +
                           "\": expected ADDRESS:PORT, as in --metrics 127.0.0.1:7434");
  }
  if (!address->is_loopback()) {
    return InvalidArgument(
        fmt::format("metrics address \"{}\" can be reached by other machines, and metrics ask for "
                    "no token; serve them to this machine: --metrics 127.0.0.1:{}. A scraper "
                    "elsewhere comes through a proxy that authenticates it, or ssh -L",
                    text, port));
  }
  return tcp::endpoint(*address, static_cast<std::uint16_t>(port));
}

// A browser that a foreign name led here still says that name.
bool IsOfThisMachine(std::string host) {
  if (host.empty()) return true;
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
    host = host.substr(0, colon);
  }
  const std::optional<asio::ip::address> address = AddressOf(host);
  return address && address->is_loopback();
}

http::status StatusOfRefusal(const ErrorCode& error) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return http::status::request_header_fields_too_large;
  }
  if (error == http::error::body_limit || error == http::error::unexpected_body) {
    return http::status::payload_too_large;
  }
  return http::status::bad_request;
}

}  // namespace

class MetricsServer::Loop {
 public:
  Loop(Answers answers, const Limits& limits)
      : answers_(std::move(answers)), limits_(limits), acceptor_(io_) {}
  ~Loop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    stopping_ = true;
  }

  absl::Status Listen(const tcp::endpoint& endpoint);
  void Run() {
    Accept();
    thread_ = std::jthread([this] { io_.run(); });
  }
  const std::string& endpoint() const { return endpoint_; }

 private:
  class Connection;
  using Request = http::request<http::empty_body>;
  using Response = http::response<http::string_body>;

  void Accept();
  void End();  // of a connection
  Response Answer(const Request& request) const;

  const Answers answers_;
  const Limits limits_;
  std::string endpoint_;
  // Of the thread alone, while it runs; after it of the connections that go with io_.
  int open_ = 0;
  bool accepting_ = false;
  bool stopping_ = false;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  std::jthread thread_;
};

// One request and its answer. Lives as long as something of it is awaited.
class MetricsServer::Loop::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Loop& loop, tcp::socket socket) : loop_(loop), stream_(std::move(socket)) {
    parser_.header_limit(kMaxHeaderBytes);
    parser_.body_limit(0);
  }
  ~Connection() { loop_.End(); }

  void Start() {
    stream_.expires_after(
        std::chrono::nanoseconds(absl::ToInt64Nanoseconds(loop_.limits_.deadline)));
    http::async_read(
        stream_, buffer_, parser_,
        [self = shared_from_this()](const ErrorCode& error, std::size_t) { self->OnRead(error); });
  }

 private:
  void OnRead(const ErrorCode& error) {
    if (!error) {
      response_ = loop_.Answer(parser_.get());
    } else if (error.category() == http::make_error_code(http::error::end_of_stream).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      response_.result(StatusOfRefusal(error));
      response_.body() = "refused: " + error.message() + "\n";
    } else {
      return;  // gone, or too late
    }
    Send(!error && parser_.get().method() == http::verb::head);
  }

  void Send(bool head) {
    response_.version(11);
    response_.keep_alive(false);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (response_.find(http::field::content_type) == response_.end()) {
      response_.set(http::field::content_type, kPlainText);
    }
    response_.content_length(response_.body().size());
    if (head) response_.body().clear();
    http::async_write(stream_, response_,
                      [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                        if (!error) self->Close();
                      });
  }

  // Reads what is still on its way: to close on it would take the answer back.
  void Close() {
    ErrorCode ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    Drain(0);
  }

  void Drain(std::size_t drained) {
    stream_.async_read_some(asio::buffer(rest_), [self = shared_from_this(), drained](
                                                     const ErrorCode& error, std::size_t bytes) {
      if (!error && drained + bytes < kMaxDrainBytes) self->Drain(drained + bytes);
    });
  }

  Loop& loop_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{2 * kMaxHeaderBytes};
  http::request_parser<http::empty_body> parser_;
  Response response_;
  std::array<char, 1024> rest_ = {};
};

absl::Status MetricsServer::Loop::Listen(const tcp::endpoint& endpoint) {
  ErrorCode error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(kMaxWaiting, error);
  const tcp::endpoint bound = error ? endpoint : acceptor_.local_endpoint(error);
  const std::string host = bound.address().to_string();
  endpoint_ = fmt::format("{}:{}", bound.address().is_v6() ? "[" + host + "]" : host, bound.port());
  if (!error) return absl::OkStatus();
  if (error == boost::system::errc::address_in_use) {
    return AlreadyExists("metrics address in use: " + endpoint_ +
                         "; choose a free one: --metrics 127.0.0.1:0");
  }
  return FromErrno(error.value(), "serve metrics at " + endpoint_);
}

void MetricsServer::Loop::Accept() {
  if (accepting_ || open_ >= limits_.connections) return;
  accepting_ = true;
  acceptor_.async_accept([this](const ErrorCode& error, tcp::socket socket) {
    accepting_ = false;
    if (error) {
      LogWarning("serve metrics: " + error.message());
    } else {
      ++open_;
      std::make_shared<Connection>(*this, std::move(socket))->Start();
    }
    Accept();
  });
}

void MetricsServer::Loop::End() {
  --open_;
  if (!stopping_) Accept();
}

MetricsServer::Loop::Response MetricsServer::Loop::Answer(const Request& request) const {
  Response response;
  const auto host = request[http::field::host];
  const std::string target(request.target().data(), request.target().size());
  const std::string path = target.substr(0, target.find('?'));
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    response.result(http::status::method_not_allowed);
    response.set(http::field::allow, "GET, HEAD");
    response.body() = "GET and HEAD only\n";
  } else if (!IsOfThisMachine(std::string(host.data(), host.size()))) {
    response.result(http::status::forbidden);
    response.body() = "the Host must be this machine: 127.0.0.1, [::1] or localhost\n";
  } else if (path == "/metrics") {
    response.set(http::field::content_type, kMetricsText);
    response.body() = answers_.metrics();
  } else if (path == "/healthz") {
    const std::string trouble = answers_.trouble();
    if (!trouble.empty()) response.result(http::status::service_unavailable);
    response.body() = (trouble.empty() ? "ok" : trouble) + "\n";
  } else {
    response.result(http::status::not_found);
    response.body() = "there are /metrics and /healthz\n";
  }
  return response;
}

absl::Status CheckMetricsAddress(const std::string& address) {
  return EndpointOf(address).status();
}

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const std::string& address,
                                                                    Answers answers,
                                                                    const Limits& limits) {
  ASSIGN_OR_RETURN(const tcp::endpoint endpoint, EndpointOf(address));
  auto loop = std::make_unique<Loop>(std::move(answers), limits);
  RETURN_IF_ERROR(loop->Listen(endpoint));
  loop->Run();
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(loop)));
}

MetricsServer::MetricsServer(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
MetricsServer::~MetricsServer() = default;

const std::string& MetricsServer::endpoint() const { return loop_->endpoint(); }

}  // namespace etude
