// Daypass. SPDX-License-Identifier: Apache-2.0
//
// libcrypto as Swift sees it, and functions for what libcrypto offers only as macros.
#ifndef DAYPASS_COPENSSL_H
#define DAYPASS_COPENSSL_H

#include <openssl/bio.h>
#include <openssl/blowfish.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

// Macros made of several flags.
static const int DAYPASS_PKEY_PUBLIC_KEY = EVP_PKEY_PUBLIC_KEY;
static const int DAYPASS_PKEY_KEYPAIR = EVP_PKEY_KEYPAIR;

// Blowfish's rounds, for bcrypt. EVP can't stand in: the key schedules are bcrypt's own, and it sets up a key for
// each of them. The older calls are deprecated, not removed, in every OpenSSL 3.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/// Encrypts one block of two words in place; `schedule` is 18 words of the P-array and four S-boxes of 256 words.
static inline void daypass_blowfish_encrypt(unsigned int *block, const void *schedule)
{
    BF_encrypt(block, (const BF_KEY *)schedule);
}

#pragma GCC diagnostic pop

// Zeroes every register that a function may leave something in, on x86-64 and arm64. libcrypto's AES code leaves
// plaintext in vector registers.
#if defined(__has_attribute)
#if __has_attribute(zero_call_used_regs)
__attribute__((noinline, zero_call_used_regs("all")))
#endif
#endif
static void daypass_zero_registers(void) {}

#endif
