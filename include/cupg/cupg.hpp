#pragma once
// Everything, in the order in which data flows.
#include "cupg/config.hpp"
#include "cupg/environment.hpp"
#include "cupg/error.hpp"
#include "cupg/network.hpp"
#include "cupg/objective.hpp"
#include "cupg/optimizer.hpp"
#include "cupg/policy.hpp"
#include "cupg/run.hpp"
#include "cupg/summary.hpp"
#include "cupg/trainer.hpp"
#include "cupg/vector_env.hpp"
