#include "coordinator/metrics_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/status.h"
#include "tests/support/http.h"

namespace etude {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class MetricsServerTest : public testing::Test {
 protected:
  MetricsServerTest() { Start({}); }

  void Start(const MetricsServer::Limits& limits) {
    server_ = *MetricsServer::Start(
        "127.0.0.1:0", {[] { return "etude_up 1\n"; }, [this] { return trouble_; }}, limits);
  }
  std::string Ask(const std::string& request) const {
    return HttpExchange(server_->endpoint(), request);
  }
  std::string Get(const std::string& target) const {
    return Ask("GET " + target + " HTTP/1.1\r\nHost: " + server_->endpoint() + "\r\n\r\n");
  }

  std::string trouble_;
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(MetricsServerTest, MetricsHaveTheTypeThatPrometheusAsksFor) {
  const std::string answer = Get("/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\netude_up 1\n"));
  EXPECT_THAT(Get("/metrics?debug=1"), EndsWith("etude_up 1\n"));
}

TEST_F(MetricsServerTest, HeadSaysHowLongItWouldBe) {
  const std::string answer = Ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 11\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(MetricsServerTest, HealthIsTroubleUntilThereIsNone) {
  EXPECT_THAT(Get("/healthz"), EndsWith("\r\n\r\nok\n"));
  trouble_ = "the disk is full";
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Get("/healthz"), EndsWith("\r\n\r\nthe disk is full\n"));
}

TEST_F(MetricsServerTest, NothingElseIsThere) {
  for (const char* target : {"/", "/metrics/", "/metrics/../healthz", "/%6detrics", "*", "//"}) {
    EXPECT_THAT(Get(target), StartsWith("HTTP/1.1 404 ")) << target;
  }
}

TEST_F(MetricsServerTest, OtherMethodsAreRefused) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"}) {
    const std::string answer =
        Ask(std::string(method) + " /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 405 ")) << method;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD\r\n"));
  }
}

TEST_F(MetricsServerTest, ABodyIsRefused) {
  EXPECT_THAT(Ask("GET /metrics HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Ask("POST /metrics HTTP/1.1\r\nContent-Length: 99999999999999999\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Ask("GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n"),
              StartsWith("HTTP/1.1 413 "));
}

TEST_F(MetricsServerTest, ALongHeaderIsRefused) {
  const std::string filler(MetricsServer::kMaxHeaderBytes + 1, 'a');
  for (const std::string& request : {"GET /" + filler + " HTTP/1.1\r\n\r\n",
                                     "GET /metrics HTTP/1.1\r\nX: " + filler + "\r\n\r\n",
                                     "GET / HTTP/1.1\r\nX: " + std::string(1 << 16, 'a')}) {
    EXPECT_THAT(Ask(request), StartsWith("HTTP/1.1 431 ")) << request.size();
  }
}

TEST_F(MetricsServerTest, WhatIsNotHttpIsRefused) {
  for (const char* request :
       {"\x16\x03\x01\x02\x00\x01\r\n\r\n", "hello\r\n\r\n", "GET /metrics HTTP/9.9\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    EXPECT_THAT(Ask(request), StartsWith("HTTP/1.1 4")) << request;
  }
}

TEST_F(MetricsServerTest, ABrowserThatAForeignNameLedHereIsRefused) {
  for (const char* host : {"evil.example", "evil.example:7434", "127.0.0.1.evil.example",
                           "10.0.0.1:7434", "[2001:db8::1]:7434"}) {
    EXPECT_THAT(Ask("GET /metrics HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"),
                StartsWith("HTTP/1.1 403 "))
        << host;
  }
  for (const char* host : {"127.0.0.1", "localhost:1", "[::1]", "[::1]:7434", "127.1.2.3:80"}) {
    EXPECT_THAT(Ask("GET /metrics HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n"),
                StartsWith("HTTP/1.1 200 "))
        << host;
  }
}

TEST_F(MetricsServerTest, WhoIsSlowIsDropped) {
  Start({.deadline = absl::Milliseconds(50)});
  EXPECT_EQ(Ask(""), "");
  EXPECT_EQ(Ask("GET /metrics HTTP/1.1\r\nHost: "), "");
}

TEST_F(MetricsServerTest, ConnectionsBeyondTheLimitAreServedOnceOthersAreDropped) {
  Start({.deadline = absl::Milliseconds(50), .connections = 2});
  const HttpConnection first(server_->endpoint());
  const HttpConnection second(server_->endpoint());
  const HttpConnection third(server_->endpoint());
  third.Send("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_THAT(third.ReadAll(), EndsWith("ok\n"));
  EXPECT_EQ(first.ReadAll() + second.ReadAll(), "");
}

TEST_F(MetricsServerTest, StopsWhileConnectionsAreOpen) {
  const HttpConnection silent(server_->endpoint());
  EXPECT_THAT(Get("/healthz"), EndsWith("ok\n"));
  server_.reset();
  EXPECT_EQ(silent.ReadAll(), "");
}

TEST_F(MetricsServerTest, ATakenPortIsRefusedWithWhatToType) {
  const auto other = MetricsServer::Start(server_->endpoint(), {}, {});
  EXPECT_EQ(other.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(MessageOf(other.status()), HasSubstr("--metrics 127.0.0.1:0"));
}

TEST(MetricsAddressTest, OnlyThisMachineMayBeServed) {
  for (const char* address : {"127.0.0.1:7434", "localhost:0", "[::1]:7434", "127.9.9.9:1"}) {
    EXPECT_TRUE(CheckMetricsAddress(address).ok()) << address;
  }
  for (const char* address : {"0.0.0.0:7434", "[::]:7434", "10.0.0.1:7434", "[2001:db8::1]:1"}) {
    const absl::Status refused = CheckMetricsAddress(address);
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(MessageOf(refused), HasSubstr("--metrics 127.0.0.1:")) << address;
  }
  for (const char* address : {"", "7434", ":7434", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                              "127.0.0.1:-1", "127.0.0.1:7434x", "big-host:7434"}) {
    EXPECT_THAT(MessageOf(CheckMetricsAddress(address)), HasSubstr("expected ADDRESS:PORT"))
        << address;
  }
}

}  // namespace
}  // namespace etude
