// Object identifiers of PostgreSQL's own types, as in pg_type of version 15 (they never change; 18 has the same).
#pragma once

#include <switchyard/base/bytes.hpp>

namespace switchyard::inline v0::oids {

/// Not said: the server infers the type of the parameter.
inline constexpr Oid unspecified = 0;
inline constexpr Oid bool_ = 16;
inline constexpr Oid bytea = 17;
inline constexpr Oid char_ = 18;
inline constexpr Oid name = 19;
inline constexpr Oid int8 = 20;
inline constexpr Oid int2 = 21;
inline constexpr Oid int2vector = 22;
inline constexpr Oid int4 = 23;
inline constexpr Oid regproc = 24;
inline constexpr Oid text = 25;
inline constexpr Oid oid = 26;
inline constexpr Oid tid = 27;
inline constexpr Oid xid = 28;
inline constexpr Oid cid = 29;
inline constexpr Oid oidvector = 30;
inline constexpr Oid json = 114;
inline constexpr Oid xml = 142;
inline constexpr Oid pg_node_tree = 194;
inline constexpr Oid point = 600;
inline constexpr Oid lseg = 601;
inline constexpr Oid path = 602;
inline constexpr Oid box = 603;
inline constexpr Oid polygon = 604;
inline constexpr Oid line = 628;
inline constexpr Oid cidr = 650;
inline constexpr Oid float4 = 700;
inline constexpr Oid float8 = 701;
inline constexpr Oid unknown = 705;
inline constexpr Oid circle = 718;
inline constexpr Oid macaddr8 = 774;
inline constexpr Oid money = 790;
inline constexpr Oid macaddr = 829;
inline constexpr Oid inet = 869;
inline constexpr Oid aclitem = 1033;
inline constexpr Oid bpchar = 1042;
inline constexpr Oid varchar = 1043;
inline constexpr Oid date = 1082;
inline constexpr Oid time = 1083;
inline constexpr Oid timestamp = 1114;
inline constexpr Oid timestamptz = 1184;
inline constexpr Oid interval = 1186;
inline constexpr Oid timetz = 1266;
inline constexpr Oid bit = 1560;
inline constexpr Oid varbit = 1562;
inline constexpr Oid numeric = 1700;
inline constexpr Oid refcursor = 1790;
inline constexpr Oid regprocedure = 2202;
inline constexpr Oid regoper = 2203;
inline constexpr Oid regoperator = 2204;
inline constexpr Oid regclass = 2205;
inline constexpr Oid regtype = 2206;
inline constexpr Oid record = 2249;
inline constexpr Oid cstring = 2275;
inline constexpr Oid void_ = 2278;
inline constexpr Oid uuid = 2950;
inline constexpr Oid txid_snapshot = 2970;
inline constexpr Oid pg_lsn = 3220;
inline constexpr Oid pg_ndistinct = 3361;
inline constexpr Oid pg_dependencies = 3402;
inline constexpr Oid tsvector = 3614;
inline constexpr Oid tsquery = 3615;
inline constexpr Oid gtsvector = 3642;
inline constexpr Oid regconfig = 3734;
inline constexpr Oid regdictionary = 3769;
inline constexpr Oid jsonb = 3802;
inline constexpr Oid int4range = 3904;
inline constexpr Oid numrange = 3906;
inline constexpr Oid tsrange = 3908;
inline constexpr Oid tstzrange = 3910;
inline constexpr Oid daterange = 3912;
inline constexpr Oid int8range = 3926;
inline constexpr Oid jsonpath = 4072;
inline constexpr Oid regnamespace = 4089;
inline constexpr Oid regrole = 4096;
inline constexpr Oid regcollation = 4191;
inline constexpr Oid int4multirange = 4451;
inline constexpr Oid nummultirange = 4532;
inline constexpr Oid tsmultirange = 4533;
inline constexpr Oid tstzmultirange = 4534;
inline constexpr Oid datemultirange = 4535;
inline constexpr Oid int8multirange = 4536;
inline constexpr Oid pg_brin_bloom_summary = 4600;
inline constexpr Oid pg_brin_minmax_multi_summary = 4601;
inline constexpr Oid pg_mcv_list = 5017;
inline constexpr Oid pg_snapshot = 5038;
inline constexpr Oid xid8 = 5069;

/// Objects from here on were made by users: enums, composites, ranges, types of extensions (FirstNormalObjectId).
inline constexpr Oid first_user = 16384;

}  // namespace switchyard::inline v0::oids
