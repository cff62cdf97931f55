// A conversion as what a command prints.
#ifndef ETUDE_CLIENT_CONVERT_REPORT_H_
#define ETUDE_CLIENT_CONVERT_REPORT_H_

#include <string>

#include "client/corpus_convert.h"
#include "client/output.h"

namespace etude {

// "1,234 of 45,129 files, 410 a second, 1 min 47 s left; 12 duplicates, 3 failed"
std::string ConvertProgressText(const CorpusConvertCounts& counts, double seconds);

// Counts and note F1, one row a status and reason.
Report ConvertedReport(const std::string& dir, const CorpusConvertCounts& counts, double seconds);

}  // namespace etude

#endif  // ETUDE_CLIENT_CONVERT_REPORT_H_
