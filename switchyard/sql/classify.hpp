// Which kind of statement the root of a parse tree is, and what each statement of that kind does.
#pragma once

#include <switchyard/sql/statement_facts.hpp>

#include <boost/json/object.hpp>

#include <string_view>

namespace switchyard::inline v0::sql {

/// Fills kind and inner_kind, and adds to writes and effects. What clauses inside do is TreeWalk's matter.
void classify(std::string_view type, const boost::json::object& fields, StatementFacts& facts);

}  // namespace switchyard::inline v0::sql
