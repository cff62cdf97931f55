#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "client/arguments.h"
#include "client/command.h"
#include "client/corpus_source.h"
#include "client/temporary_directory.h"
#include "lib/base/file.h"
#include "tests/unit/client/builders.h"

namespace etude {
namespace {

using testing::HasSubstr;

// Calls `visit` with every command's words and its help.
void ForEachCommand(const std::function<void(const std::string&, const std::string&)>& visit) {
  std::ostringstream none;
  FakeClock clock;
  Session session({none, none, MakeEnvironment({}), Terminal(), clock, ""});
  CommandTree tree{CLI::App(), session, nullptr};
  MakeCommands(tree);
  const std::function<void(CLI::App&, const std::string&)> walk = [&](CLI::App& app,
                                                                      const std::string& path) {
    visit(path, app.help());
    for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
      walk(*command, path + " " + command->get_name());
    }
  };
  walk(tree.app, "etude");
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST(CommandsTest, EveryHelpHasTwoExamplesOfTheCommandItself) {
  int commands = 0;
  ForEachCommand([&](const std::string& path, const std::string& help) {
    ++commands;
    const std::size_t examples = help.find("Examples:");
    ASSERT_NE(examples, std::string::npos) << path;
    EXPECT_GE(Count(help.substr(examples), "\n  " + path + (path == "etude" ? " " : "")), 2)
        << path << "\n"
        << help;
  });
  EXPECT_EQ(commands, 65);  // etude, 9 nouns and 55 commands
}

TEST(CommandsTest, EveryUsageNamesTheWholeCommand) {
  ForEachCommand([](const std::string& path, const std::string& help) {
    EXPECT_THAT(help, HasSubstr("\nUsage: " + path + " [OPTIONS]")) << help;
  });
  EXPECT_THAT(Etude({"sweep", "delete", "-h"}).out,
              HasSubstr("Usage: etude sweep delete [OPTIONS] SWEEP\n"));
  EXPECT_THAT(Etude({"sweep", "-h"}).out, HasSubstr("Usage: etude sweep [OPTIONS] SUBCOMMAND\n"));
}

TEST(CommandsTest, EveryCommandTakesOutputAndEndpoint) {
  ForEachCommand([](const std::string& path, const std::string& help) {
    const bool noun = help.find("\nSubcommands:") != std::string::npos;
    if (noun) return;
    EXPECT_THAT(help, HasSubstr("-o,--output")) << path;
    EXPECT_THAT(help, HasSubstr("--endpoint")) << path;
  });
}

TEST(CommandsTest, HelpAndVersionGoToStdout) {
  const Printed help = Etude({"sweep", "wait", "-h"});
  EXPECT_EQ(help.code, ExitCode::kOk);
  EXPECT_THAT(help.out, HasSubstr("--timeout"));
  EXPECT_EQ(Etude({"--version"}).out, "etude 0.1.0\n");
}

TEST(CommandsTest, AnUnknownCommandNamesTheNearest) {
  const Printed printed = Etude({"swep", "ls"});
  EXPECT_EQ(printed.code, ExitCode::kUsage);
  EXPECT_THAT(printed.err, HasSubstr("did you mean \"sweep\"?"));
  EXPECT_EQ(printed.out, "");
  EXPECT_THAT(Etude({"sweep", "cancle", "x"}).err, HasSubstr("did you mean \"cancel\"?"));
  EXPECT_THAT(Etude({"frobnicate"}).err, HasSubstr("known: up, train"));
}

TEST(CommandsTest, AnUnknownFlagNamesTheNearest) {
  const Printed printed = Etude({"plan", "x.toml", "--strikt"});
  EXPECT_EQ(printed.code, ExitCode::kUsage);
  EXPECT_THAT(printed.err, HasSubstr("did you mean \"--strict\"?"));
  EXPECT_THAT(printed.err, HasSubstr("try: etude plan -h"));
  EXPECT_THAT(Etude({"sweep", "wait", "x", "--timout=1s"}).err, HasSubstr("--timeout"));
}

TEST(CommandsTest, MissingWordsAreUsageErrors) {
  EXPECT_EQ(Etude({}).code, ExitCode::kUsage);
  EXPECT_THAT(Etude({"sweep"}).err, HasSubstr("ls, show, watch, wait, cancel"));
  EXPECT_EQ(Etude({"plan"}).code, ExitCode::kUsage);
  EXPECT_EQ(Etude({"sweep", "ls", "-o", "xml"}).code, ExitCode::kUsage);
  EXPECT_EQ(Etude({"train", "--corpus", "x", "--out", "/nonexistent/m"}).code, ExitCode::kUsage);
}

TEST(CommandsTest, UsageErrorsAreJsonWhereJsonIsAsked) {
  const Printed printed = Etude({"sweep", "sho", "x", "-o", "json"});
  const auto error = nlohmann::json::parse(printed.err)["error"];
  EXPECT_EQ(error["code"], "invalid");
  EXPECT_EQ(error["hint"], "etude sweep -h");
}

TEST(CommandsTest, AMissingSpecIsNotFound) {
  const Printed printed = Etude({"plan", "/nonexistent/spec.toml"});
  EXPECT_EQ(printed.code, ExitCode::kNotFound);
  EXPECT_THAT(printed.err, HasSubstr("/nonexistent/spec.toml"));
}

TEST(CommandsTest, NoCoordinatorIsExitFive) {
  const Printed printed = Etude({"sweep", "ls", "--endpoint", "127.0.0.1:1"}, {{"HOME", "/none"}});
  EXPECT_EQ(printed.code, ExitCode::kUnreachable);
  EXPECT_THAT(printed.err, HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(printed.err, HasSubstr("try: etude up"));
}

class PlanCommandTest : public testing::Test {
 protected:
  std::string Spec(const std::string& toml) {
    std::string path = directory_->path() + "/spec.toml";
    EXPECT_TRUE(WriteFileAtomically(path, toml).ok());
    return path;
  }
  std::unique_ptr<TemporaryDirectory> directory_ =
      TemporaryDirectory::Make(MakeEnvironment({})).value();
};

TEST_F(PlanCommandTest, PlansWithoutCorpusOrCoordinator) {
  const std::string path =
      Spec("name = \"x\"\ncorpus = \"folk\"\n[[grid]]\nlstm = [\"1x24\"]\ntokens = [\"300k\"]\n");
  const Printed printed =
      Etude({"plan", path, "--vocab", "37", "--corpus-tokens", "1000000", "-o", "json"});
  ASSERT_EQ(printed.code, ExitCode::kOk) << printed.err;
  EXPECT_EQ(nlohmann::json::parse(printed.out)["totals"]["runs"], 1);
}

TEST_F(PlanCommandTest, StrictRefusesWhatCannotBeIdentified) {
  const std::string path =
      Spec("name = \"x\"\ncorpus = \"folk\"\n[[grid]]\nlstm = [\"1x24\"]\ntokens = [\"300k\"]\n");
  const Printed printed =
      Etude({"plan", path, "--strict", "--vocab", "37", "--corpus-tokens", "1000000"});
  EXPECT_EQ(printed.code, ExitCode::kNotIdentifiable);
  EXPECT_THAT(printed.err, HasSubstr("cannot identify"));
  EXPECT_NE(printed.out, "");
}

TEST_F(PlanCommandTest, ABrokenSpecShowsEveryErrorAndExitsTwo) {
  const std::string path = Spec("name = \"x\"\ncorpsu = \"folk\"\n[[grid]]\nlstm = []\n");
  const Printed printed = Etude({"plan", path});
  EXPECT_EQ(printed.code, ExitCode::kUsage);
  EXPECT_THAT(printed.err, HasSubstr("spec.toml:2:1"));
  EXPECT_THAT(printed.err, HasSubstr("try: etude plan " + path));
}

TEST_F(PlanCommandTest, MoreRunsThanTheLimitIsExitEight) {
  const std::string path = Spec(
      "name = \"x\"\ncorpus = \"folk\"\n[limits]\nmax_runs = 1\n[[grid]]\nlstm = [\"1x24\", "
      "\"1x48\"]\ntokens = [\"300k\"]\n");
  EXPECT_EQ(Etude({"plan", path, "--vocab", "37", "--corpus-tokens", "1000000"}).code,
            ExitCode::kRefused);
}

// D is 64M positions in every row, of 1M tokens: the rows and their refusal are DESIGN.md section
// 1's.
TEST(FitCommandTest, TheCourseStudysRowsAreRefusedWithExitTen) {
  const Printed printed = Etude({"fit", "--csv", "tests/unit/fit/course_study.csv", "--columns",
                                 "n=n,d=d,loss=loss,u=u", "-o", "json"});
  EXPECT_EQ(printed.code, ExitCode::kNotIdentifiable);
  const auto json = nlohmann::json::parse(printed.out);
  EXPECT_EQ(json["verdict"], "not identified");
  EXPECT_EQ(json["certificate"]["rank"], 3);
  EXPECT_THAT(printed.err, HasSubstr("D never varies: it is 64M in every row"));
  EXPECT_THAT(printed.err, HasSubstr("repair: "));
}

TEST(FitCommandTest, RowsOfOthersAreFittedWithoutACoordinator) {
  const Printed printed = Etude({"fit", "--csv", "tests/unit/fit/gadre_rpj.csv", "--columns",
                                 "n=n,d=d,loss=loss", "--bootstrap", "0", "-o", "csv"});
  EXPECT_EQ(printed.code, ExitCode::kOk) << printed.err;
  EXPECT_THAT(printed.out, HasSubstr(",alpha,"));
}

TEST(FitCommandTest, WrongWordsSayWhatToType) {
  EXPECT_THAT(Etude({"fit"}).err, HasSubstr("give a sweep, or --csv FILE"));
  EXPECT_THAT(Etude({"fit", "s", "--law", "chinchila"}).err,
              HasSubstr("did you mean \"chinchilla\"?"));
  EXPECT_THAT(Etude({"fit", "s", "--law", "farseer"}).err, HasSubstr("not in this version"));
  EXPECT_THAT(Etude({"fit", "s", "--delta", "small"}).err, HasSubstr("a number above 0, or auto"));
  EXPECT_THAT(Etude({"fit", "--csv", "x.csv"}).err, HasSubstr("--csv needs --columns"));
  EXPECT_THAT(Etude({"fit", "s", "--columns", "n=n"}).err, HasSubstr("belongs to --csv"));
  EXPECT_EQ(Etude({"fit", "--csv", "/none.csv", "--columns", "n=n,d=d,loss=l"}).code,
            ExitCode::kNotFound);
  EXPECT_EQ(Etude({"predict", "s", "--n", "1M"}).code, ExitCode::kUsage);
}

TEST(ArgumentsTest, DurationsNeedAUnit) {
  EXPECT_EQ(*ParseDuration("90s"), absl::Seconds(90));
  EXPECT_EQ(*ParseDuration("1h30m"), absl::Minutes(90));
  for (const char* bad : {"", "90", "-1s", "0s", "inf", "2 hours", "1e9h"}) {
    EXPECT_FALSE(ParseDuration(bad).ok()) << bad;
  }
}

TEST(ArgumentsTest, SeriesAreKnownAndTheTestLossStaysSealed) {
  EXPECT_EQ(*ParseSeries({"train", "lr"}),
            (std::vector<Series>{Series::kTrain, Series::kLearningRate}));
  EXPECT_THAT(std::string(ParseSeries({"val_prob"}).status().message()),
              HasSubstr("did you mean \"val_probe\"?"));
  EXPECT_THAT(std::string(ParseSeries({"test"}).status().message()), HasSubstr("sealed"));
}

TEST(CorpusNameTest, ComesFromTheDirectory) {
  EXPECT_EQ(CorpusNameOf("corpora/folk"), "folk");
  EXPECT_EQ(CorpusNameOf("corpora/folk/"), "folk");
  EXPECT_EQ(CorpusNameOf("a/my corpus é"), "my-corpus---");
}

}  // namespace
}  // namespace etude
