// etude corpus fetch|build|stats|push|ls
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "client/command.h"
#include "client/corpus_fetch.h"
#include "client/corpus_figures.h"
#include "client/corpus_report.h"
#include "client/corpus_source.h"
#include "client/picture.h"
#include "client/reports.h"
#include "lib/base/status.h"
#include "lib/music/corpus_build.h"
#include "lib/music/corpus_stats.h"
#include "lib/music/corpus_tunes.h"
#include "lib/scaling/quantity.h"

namespace etude {
namespace {

struct CorpusFlags {
  std::string src;
  std::string dir;
  std::string name;
  std::string tokenizer = "char";
  std::string split;
  std::uint64_t seed = 1;
  std::string max_tokens;
  std::string families = "opening";
  std::string augment;
  std::string train;
  std::string val;
  std::string test;
  std::string vocab;
  std::string plots;
  LakhOptions lakh;
};

absl::StatusOr<ExitCode> Fetch(Session& session, const CorpusFlags& flags) {
  const auto say = [&](const std::string& line) { session.Say(line); };
  const absl::StatusOr<FetchReport> report = FetchCorpus(flags.src, flags.dir, flags.lakh, say);
  if (!report.ok()) {
    return WithHint(OfLocalFile(report.status()),
                    fmt::format("etude corpus fetch {} {}", flags.src, flags.dir));
  }
  session.Print(FetchedReport(flags.src, flags.dir, *report));
  const bool is_abc = flags.src.starts_with("folk");
  session.Say(is_abc ? "next: etude corpus build " + flags.dir + " CORPUS_DIR --tokenizer char"
                     : "next: etude corpus convert " + flags.dir + " ABC_DIR");
  return ExitCode::kOk;
}

absl::StatusOr<CorpusReport> Adopt(const CorpusFlags& flags) {
  TokenFileOptions files{flags.train, flags.val, flags.test, flags.vocab};
  const auto beside = [&](std::string& file, const char* name) {
    if (file.empty() && !flags.src.empty()) file = flags.src + "/" + name;
  };
  beside(files.train, "train.npy");
  return AdoptTokenFiles(files, flags.dir);
}

// "transpose:5" is 5.
absl::StatusOr<int> ParseAugment(const std::string& text) {
  constexpr std::string_view kKind = "transpose:";
  const std::string number = text.starts_with(kKind) ? text.substr(kKind.size()) : "";
  const bool is_number = !number.empty() && number.size() <= 2 &&
                         number.find_first_not_of("0123456789") == std::string::npos;
  if (is_number && std::stoi(number) >= 1 && std::stoi(number) <= kMaxTranspose) {
    return std::stoi(number);
  }
  return InvalidArgument(
      fmt::format("--augment \"{}\": transpose:1 to transpose:{} are known", text, kMaxTranspose));
}

absl::StatusOr<Families> ParseFamilies(const std::string& text) {
  if (text == "opening") return Families::kOpening;
  if (text == "melody") return Families::kMelody;
  return InvalidArgument("--families \"" + text + "\": opening and melody are known");
}

absl::StatusOr<CorpusReport> BuildFrom(const CorpusFlags& flags) {
  CorpusBuildOptions options;
  options.src = flags.src;
  options.dst = flags.dir;
  options.tokenizer = flags.tokenizer;
  options.seed = flags.seed;
  ASSIGN_OR_RETURN(options.families, ParseFamilies(flags.families));
  if (!flags.augment.empty()) {
    ASSIGN_OR_RETURN(options.transpose, ParseAugment(flags.augment));
  }
  if (!flags.split.empty()) {
    ASSIGN_OR_RETURN(options.shares, ParseSplitShares(flags.split));
  }
  if (!flags.max_tokens.empty()) {
    const auto quantity = ParseQuantity(flags.max_tokens);
    if (!quantity || !quantity->unit.empty() || !(quantity->value >= 1)) {
      return InvalidArgument("--max-tokens \"" + flags.max_tokens +
                             "\" is not a number of tokens, such as 300k");
    }
    options.max_tokens = static_cast<std::int64_t>(quantity->value);
  }
  return BuildCorpus(options);
}

// Two words are SRC DST; with token files given, one word is DST.
absl::StatusOr<ExitCode> Build(Session& session, CorpusFlags flags) {
  const bool adopt = !flags.train.empty() || !flags.val.empty() || !flags.test.empty();
  if (flags.dir.empty()) {
    if (!adopt) {
      return WithHint(InvalidArgument("etude corpus build needs SRC and DST"),
                      "etude corpus build " + flags.src + " CORPUS_DIR --tokenizer char");
    }
    flags.dir = std::exchange(flags.src, "");
  }
  const absl::StatusOr<CorpusReport> report = adopt ? Adopt(flags) : BuildFrom(flags);
  if (!report.ok()) {
    return WithHint(WithWhere(OfLocalFile(report.status()), flags.dir), "etude corpus build -h");
  }
  if (report->unchanged) session.Say(flags.dir + " held exactly this corpus already");
  session.Print(BuiltReport(flags.dir, *report));
  for (const std::string& note : report->manifest.licence_notes) session.Say("licence: " + note);
  session.Say("next: etude corpus push " + flags.dir);
  return ExitCode::kOk;
}

std::vector<NamedCount> ToList(const std::map<std::string, std::int64_t>& counts) {
  std::vector<NamedCount> list;
  for (const auto& [name, count] : counts) list.push_back({name, count});
  return list;
}

Figure NotesFigure(const TuneCounts& tunes) {
  return {.title = "Notes and bars",
          .panels = {HistogramPanel("notes of a tune, as played", "notes", "tunes", tunes.notes),
                     HistogramPanel("bars of a tune, as played", "bars", "tunes", tunes.bars)}};
}

absl::Status DrawStats(Session& session, const CorpusStats& stats, const TuneCounts& tunes,
                       const std::string& folder) {
  const std::pair<const char*, Figure> figures[] = {
      {"sequence_length_distribution", LengthsFigure(stats)},
      {"token_frequency", FrequenciesFigure(stats)},
      {"dataset_split", SplitFigure(stats)},
      {"keys", CountsFigure("Keys", "first key of a tune", "tunes", ToList(tunes.keys))},
      {"meters", CountsFigure("Meters", "first meter of a tune", "tunes", ToList(tunes.meters))},
      {"notes_per_tune", NotesFigure(tunes)},
  };
  for (const auto& [name, figure] : figures) {
    RETURN_IF_ERROR(DrawPicture(session, figure, folder, name));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Stats(Session& session, const CorpusFlags& flags) {
  const absl::StatusOr<CorpusStats> stats = ComputeCorpusStats(flags.dir);
  if (!stats.ok()) {
    return WithHint(OfLocalFile(stats.status()), "etude corpus build SRC " + flags.dir);
  }
  ASSIGN_OR_RETURN(const TuneCounts tunes, CountTunes(flags.dir));
  session.Print(StatsReport(*stats, tunes));
  if (!flags.plots.empty()) RETURN_IF_ERROR(DrawStats(session, *stats, tunes, flags.plots));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Push(Session& session, const CorpusFlags& flags) {
  const std::string name = flags.name.empty() ? CorpusNameOf(flags.dir) : flags.name;
  if (!IsSweepName(name)) {
    return WithHint(InvalidArgument("a corpus name has 1 to 64 characters of [A-Za-z0-9._-]"),
                    "etude corpus push " + flags.dir + " --name folk");
  }
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const PushedCorpus pushed, PushCorpusDir(session, *client, flags.dir, name));
  Report report = CorporaReport({pushed.corpus});
  for (std::size_t i = 0; i < report.list->columns.size(); ++i) {
    report.facts.push_back({report.list->columns[i], report.list->rows[0][i]});
  }
  report.facts.push_back({{"created", "new"}, pushed.created});
  report.list.reset();
  session.Print(report);
  session.Say("next: name it in a spec: corpus = \"" + pushed.corpus.name + "\"");
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> List(Session& session) {
  ASSIGN_OR_RETURN(CoordinatorClient * client, session.Coordinator());
  ASSIGN_OR_RETURN(const std::vector<Corpus> corpora, client->Corpora());
  session.Print(CorporaReport(corpora));
  return ExitCode::kOk;
}

using Flags = std::shared_ptr<CorpusFlags>;

void AddFetch(CommandTree& tree, CLI::App& noun) {
  const Flags flags = std::make_shared<CorpusFlags>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"fetch",
       "Fetch music: folk tunes in ABC, or MIDI files.",
       {"etude corpus fetch folk abc/folk", "etude corpus fetch game-midi midi/game",
        "etude corpus fetch lakh-matched midi/lakh --from lmd_matched.tar.gz"},
       "Says first what it will fetch.\n"
       "  folk          4,400 tunes, public domain, in ABC\n"
       "  folk-full     and 8,500 of the Essen collection, non-commercial use only\n"
       "  game-midi     122 MIDI files of free games and a piano tutor, from Debian's packages\n"
       "  lakh-matched  45,129 MIDI files in 116,189 places, 1.4 GB packed\n"
       "  lakh-full     176,581 MIDI files, 1.8 GB packed\n"
       "A Lakh fetch that was cut off goes on when it is typed again."},
      [flags](Session& session) { return Fetch(session, *flags); });
  command->add_option("source", flags->src, "one of the above")->required()->type_name("SOURCE");
  command->add_option("dir", flags->dir, "where to; appears whole or not at all")
      ->required()
      ->type_name("DIR");
  command->add_option("--url", flags->lakh.url, "lakh: fetch the same archive from here")
      ->type_name("URL");
  command->add_option("--from", flags->lakh.from, "lakh: the archive, fetched already")
      ->type_name("FILE");
}

void AddBuild(CommandTree& tree, CLI::App& noun) {
  const Flags flags = std::make_shared<CorpusFlags>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"build",
       "Make a corpus of tokens from ABC or MIDI files, or adopt token files.",
       {"etude corpus build abc/folk corpora/folk --tokenizer char",
        "etude corpus build midi/ corpora/remi --tokenizer remi --split 98/1/1",
        "etude corpus build corpora/old --train train.npy --val val.npy --test test.npy"},
       "Titles and other names are stripped, duplicates removed, versions of one tune kept in one\n"
       "split. Equal inputs give equal bytes. Equal --split and --seed put a piece into the same\n"
       "split under every tokenizer, so that losses per note can be compared."},
      [flags](Session& session) { return Build(session, *flags); });
  command
      ->add_option("src", flags->src,
                   "a tree of .abc files (for remi and pianoroll also .mid), or one file")
      ->required()
      ->type_name("SRC");
  command->add_option("dst", flags->dir, "the corpus directory to make")->type_name("DST");
  command
      ->add_option("--tokenizer", flags->tokenizer,
                   "char, note, remi, pianoroll[:STEPS] or bpe:SIZE[:char|note] (default: char)")
      ->type_name("T");
  command
      ->add_option(
          "--split", flags->split,
          "train/val/test per cent (default: 98/1/1, with more val where that is below 90k "
          "tokens)")
      ->type_name("A/B/C");
  command->add_option("--seed", flags->seed, "of the split (default: 1)")->type_name("S");
  command
      ->add_option("--max-tokens", flags->max_tokens,
                   "whole pieces up to this many tokens; smaller subsets lie within larger ones")
      ->type_name("N");
  command
      ->add_option("--families", flags->families,
                   "what makes versions of one tune: opening (title, first notes) or melody (also "
                   "phrases in any key; copies in other keys are dropped) (default: opening)")
      ->type_name("F");
  command
      ->add_option("--augment", flags->augment,
                   "transpose:K adds the training pieces in the K keys above and below")
      ->type_name("A");
  command->add_option("--train", flags->train, "adopt this .npy of token ids")->type_name("FILE");
  command->add_option("--val", flags->val, "likewise")->type_name("FILE");
  command->add_option("--test", flags->test, "likewise")->type_name("FILE");
  command->add_option("--vocab", flags->vocab, "its vocab.json (default: beside --train)")
      ->type_name("FILE");
}

void AddStats(CommandTree& tree, CLI::App& noun) {
  const Flags flags = std::make_shared<CorpusFlags>();
  CLI::App* command =
      AddCommand(tree, noun,
                 {"stats",
                  "Counts, sequence lengths, token frequencies and the split of a corpus.",
                  {"etude corpus stats corpora/folk --plots pictures",
                   "etude corpus stats corpora/folk -o csv > tokens.csv"},
                  "--plots draws lengths, token frequencies, the split, keys, meters and notes as "
                  "SVG, and as\n"
                  "PNG where rsvg-convert is installed."},
                 [flags](Session& session) { return Stats(session, *flags); });
  command->add_option("dir", flags->dir, "a corpus directory")->required()->type_name("DIR");
  command->add_option("--plots", flags->plots, "draw into this directory, made if absent")
      ->type_name("OUT");
}

void AddPush(CommandTree& tree, CLI::App& noun) {
  const Flags flags = std::make_shared<CorpusFlags>();
  CLI::App* command = AddCommand(
      tree, noun,
      {"push",
       "Give a corpus to the coordinator under a name.",
       {"etude corpus push corpora/folk", "etude corpus push corpora/folk --name folk90"},
       "Goes on where an earlier try stopped. One name means one corpus for ever."},
      [flags](Session& session) { return Push(session, *flags); });
  command->add_option("dir", flags->dir, "a corpus directory")->required()->type_name("DIR");
  command->add_option("--name", flags->name, "(default: the directory's)")->type_name("NAME");
}

}  // namespace

void AddCorpus(CommandTree& tree) {
  CLI::App* noun =
      AddNoun(tree, {"corpus",
                     "Fetch, build, look at and push corpora.",
                     {"etude corpus fetch folk abc/folk", "etude corpus push corpora/folk"},
                     ""});
  AddFetch(tree, *noun);
  AddCorpusConvert(tree, *noun);
  AddBuild(tree, *noun);
  AddStats(tree, *noun);
  AddPush(tree, *noun);
  AddCommand(tree, *noun,
             {"ls", "List the pushed corpora.", {"etude corpus ls", "etude corpus ls -o csv"}, ""},
             List);
}

}  // namespace etude
