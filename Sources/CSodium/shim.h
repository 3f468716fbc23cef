// Daypass. SPDX-License-Identifier: Apache-2.0
#ifndef DAYPASS_CSODIUM_H
#define DAYPASS_CSODIUM_H
#include <sodium.h>

#ifdef __linux__
#include <sys/prctl.h>

/// Keeps other processes of the same user, and core dumps, from this process's memory (prctl(2) takes any number of
/// arguments, which Swift does not import).
static inline int daypass_forbid_dumping(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
#endif
#endif
