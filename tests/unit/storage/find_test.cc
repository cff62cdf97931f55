#include "gmock/gmock.h"
#include "tests/unit/storage/store_fixture.h"

namespace etude {
namespace {

using FindTest = StoreTest;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(FindTest, SweepIsFoundByNameOrPrefix) {
  for (const std::string& text : {std::string("demo"), std::string("aaaa"), Hex('a')}) {
    const auto sweep = Reader()->FindSweep(text);
    ASSERT_TRUE(sweep.ok()) << sweep.status();
    EXPECT_EQ(sweep->id.text(), Hex('a'));
    EXPECT_EQ(sweep->spec_toml, "name = \"demo\"\n");
    EXPECT_THAT(sweep->runs, ElementsAre(run_.key));
  }
}

TEST_F(FindTest, NameWinsOverPrefix) {
  ASSERT_TRUE(Commit({Change(MakeSweep({MakeRun(2)}, "aaaa", 'b'))}).ok());
  const auto sweep = Reader()->FindSweep("aaaa");
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_EQ(sweep->id.text(), Hex('b'));
}

TEST_F(FindTest, WhatIsNotThereIsNotFoundWithTheCommandThatLists) {
  const auto reader = Reader();
  for (const char* text : {"nosuch", "aaa", "aaab", "aaaa%", "AAAA", "", "aaaag"}) {
    const absl::Status status = reader->FindSweep(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << text;
    EXPECT_THAT(MessageOf(status), HasSubstr("etude sweep ls"));
  }
  EXPECT_EQ(reader->FindRun("0000").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(reader->FindCorpus("nosuch").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FindTest, AmbiguousPrefixIsRefusedAndNamesBoth) {
  SweepAdded other = MakeSweep({MakeRun(2)}, "other", 'a');
  std::string id = Hex('a');
  id[10] = 'f';
  other.sweep.id = SweepId(id);
  ASSERT_TRUE(Commit({Change(other)}).ok());
  const absl::Status status = Reader()->FindSweep("aaaa").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr(id.substr(0, 16)));
  EXPECT_THAT(MessageOf(status), HasSubstr(Hex('a').substr(0, 16)));
  const auto found = Reader()->FindSweep(id.substr(0, 11));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->name, "other");
}

TEST_F(FindTest, RunIsFoundByPrefix) {
  const auto key = Reader()->FindRun(run_.key.text().substr(0, 4));
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(*key, run_.key);
  const auto whole = Reader()->FindRun(run_.key.text());
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(*whole, run_.key);
}

TEST_F(FindTest, CorpusOfTwoNamesIsNotAmbiguous) {
  ASSERT_TRUE(Commit({CorpusAdded{MakeCorpus("zweiter"), 2}}).ok());
  const auto named = Reader()->FindCorpus("zweiter");
  ASSERT_TRUE(named.ok()) << named.status();
  EXPECT_EQ(named->name, "zweiter");
  EXPECT_EQ(named->files, MakeCorpus().files);
  const auto by_id = Reader()->FindCorpus("cccc");
  ASSERT_TRUE(by_id.ok()) << by_id.status();
  EXPECT_EQ(by_id->id.text(), Hex('c'));
}

TEST_F(FindTest, SweepListLeavesTheSpecsOut) {
  ASSERT_TRUE(Commit({Change(MakeSweep({MakeRun(2)}, "a-later-one", '0'))}).ok());
  const auto sweeps = Reader()->Sweeps();
  ASSERT_TRUE(sweeps.ok()) << sweeps.status();
  ASSERT_THAT(*sweeps, SizeIs(2));
  EXPECT_EQ(sweeps->at(0).name, "demo");
  EXPECT_EQ(sweeps->at(1).name, "a-later-one");
  EXPECT_THAT(sweeps->at(0).spec_toml, IsEmpty());
  EXPECT_THAT(sweeps->at(0).runs, ElementsAre(run_.key));
}

TEST_F(FindTest, RunKnowsItsSweepsAndItsJobs) {
  SweepAdded second = MakeSweep({}, "second", 'b');
  second.sweep.runs = {run_.key};
  const JobId again(run_.key.text() + ".1");
  ASSERT_TRUE(
      Commit({Change(second), JobAdded{MakeJob(again, run_.key), {{run_.key, 0, again, 0, 100}}}})
          .ok());
  const auto names = Reader()->SweepNamesOf(run_.key);
  ASSERT_TRUE(names.ok()) << names.status();
  EXPECT_THAT(*names, ElementsAre("demo", "second"));
  const auto jobs = Reader()->JobsOf(run_.key);
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_THAT(*jobs, SizeIs(2));
  EXPECT_EQ(jobs->at(0).id, job_);
  EXPECT_EQ(jobs->at(1).id, again);
}

TEST_F(FindTest, EveryBlobThatARowNamesIsReferenced) {
  AttemptEnded ended = EndOf(job_, 1);
  ended.artifacts = {{"trainer.log", Hex('5'), 1}};
  RunResult result;
  result.weights_sha256 = Hex('7');
  ASSERT_TRUE(Commit({StartOf(job_, 1), CheckpointAt(job_, 1, 9), ended,
                      RunChanged{run_.key, RunState::kSucceeded, "", result, 5}})
                  .ok());
  const auto blobs = Reader()->ReferencedBlobs();
  ASSERT_TRUE(blobs.ok()) << blobs.status();
  EXPECT_THAT(*blobs, ElementsAre(Hex('1'), Hex('2'), Hex('3'), Hex('4'), Hex('5'), Hex('7')));
}

TEST_F(FindTest, ReaderSeesWhatIsCommittedAfterItOpened) {
  const auto reader = Reader();
  ASSERT_TRUE(Commit({WorkerChanged{MakeWorker()}}).ok());
  const auto workers = reader->Workers();
  ASSERT_TRUE(workers.ok()) << workers.status();
  EXPECT_THAT(*workers, SizeIs(1));
  const auto corpora = reader->Corpora();
  ASSERT_TRUE(corpora.ok()) << corpora.status();
  EXPECT_THAT(*corpora, SizeIs(1));
}

}  // namespace
}  // namespace etude
