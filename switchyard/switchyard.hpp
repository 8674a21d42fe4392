// The whole library for its users. See README.md for a first program.
#pragma once

#include <switchyard/base/version.hpp>
#include <switchyard/config/load.hpp>
#include <switchyard/fleet/blocking.hpp>
#include <switchyard/fleet/fleet.hpp>
#include <switchyard/fleet/run.hpp>
#include <switchyard/runtime/task_tools.hpp>
#include <switchyard/telemetry/log.hpp>
