// Daypass. SPDX-License-Identifier: Apache-2.0
#ifndef DAYPASS_CSODIUM_H
#define DAYPASS_CSODIUM_H
#include <sodium.h>
#endif
