// Every call of every service is in the table, and refuses whoever has no token.
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/component/coordinator/service_fixture.h"

namespace etude {
namespace {

std::vector<const google::protobuf::MethodDescriptor*> Methods() {
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  for (const google::protobuf::FileDescriptor* file :
       {v1::RegisterRequest::descriptor()->file(), v1::GetInfoRequest::descriptor()->file(),
        v1::StatRequest::descriptor()->file(), v1::GetStoreRequest::descriptor()->file(),
        v1::ExportRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        methods.push_back(file->service(s)->method(m));
      }
    }
  }
  return methods;
}

std::string PathOf(const google::protobuf::MethodDescriptor& method) {
  return "/" + method.service()->full_name() + "/" + method.name();
}

// The status of an empty request to `path`.
grpc::Status Call(grpc::GenericStub& stub, const std::string& path, grpc::ClientContext& context) {
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, path, &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(reinterpret_cast<void*>(1));
  queue.Next(&tag, &ok);
  grpc::Slice empty;
  call->WriteLast(grpc::ByteBuffer(&empty, 1), grpc::WriteOptions(), reinterpret_cast<void*>(2));
  queue.Next(&tag, &ok);
  grpc::ByteBuffer reply;
  call->Read(&reply, reinterpret_cast<void*>(3));
  queue.Next(&tag, &ok);
  grpc::Status status;
  call->Finish(&status, reinterpret_cast<void*>(4));
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  return status;
}

TEST(CallTableTest, NamesEveryCallOfOursOnceAndNothingElse) {
  std::map<std::string, int> rules;
  for (const CallRule& rule : CallRules()) ++rules[std::string(rule.method)];
  for (const auto* method : Methods()) {
    EXPECT_EQ(rules[PathOf(*method)], 1) << PathOf(*method);
    rules.erase(PathOf(*method));
  }
  EXPECT_EQ(rules, (std::map<std::string, int>{{"/grpc.health.v1.Health/Check", 1},
                                               {"/grpc.health.v1.Health/Watch", 1}}));
}

TEST_F(ServiceTest, EveryCallRefusesACallerWithoutTheToken) {
  grpc::GenericStub stub(channel_);
  for (const auto* method : Methods()) {
    for (const std::string token : {"", "etude_wrong"}) {
      const auto context = Context(token);
      const grpc::Status status = Call(stub, PathOf(*method), *context);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << PathOf(*method);
      EXPECT_NE(status.error_message().find("/state/token"), std::string::npos);
    }
  }
}

TEST_F(ServiceTest, HealthNeedsNoToken) {
  grpc::GenericStub stub(channel_);
  const auto context = Context("");
  const grpc::Status status = Call(stub, "/grpc.health.v1.Health/Check", *context);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

}  // namespace
}  // namespace etude
