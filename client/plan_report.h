// A plan as a person reads it before paying for it.
#ifndef ETUDE_CLIENT_PLAN_REPORT_H_
#define ETUDE_CLIENT_PLAN_REPORT_H_

#include <string>
#include <vector>

#include "client/output.h"
#include "lib/scaling/plan.h"

namespace etude {

// One row a run, the totals above. JSON of a plan is PlanToJson.
Report PlanReport(const Plan& plan);

// What the table cannot hold: warnings (equal ones once, with how many runs they concern), what
// each family's grid can identify, and what trunk sharing would save.
std::vector<std::string> PlanNotes(const Plan& plan);

// The families whose grid cannot identify the joint law, with the cheapest repair; empty when all
// can.
std::string UnidentifiableText(const Plan& plan);

}  // namespace etude

#endif  // ETUDE_CLIENT_PLAN_REPORT_H_
