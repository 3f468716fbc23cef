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
// SHA-256 for Merkle trees (RFC 9162, section 2.1.1), with no allocation and no shared state.
//
// OpenSSL 3 prefers EVP; a reused EVP_MD_CTX with an EVP_MD fetched beforehand makes 2.7 million leaf-and-node
// pairs a second (350-byte entries, SHA extensions) where these older calls make 3.1 million, and it would need a
// context of its own for each thread. They are deprecated, not removed, in every OpenSSL 3.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

/// Writes the 32 bytes of SHA-256(data) to `hash`.
static inline void daypass_sha256(const void *data, size_t count, void *hash)
{
    SHA256_CTX context;
    SHA256_Init(&context);
    if (count > 0)
        SHA256_Update(&context, data, count);
    SHA256_Final((unsigned char *)hash, &context);
}

/// Writes the 32 bytes of SHA-256(0x00 || entry) to `hash`.
static inline void daypass_merkle_leaf(const void *entry, size_t count, void *hash)
{
    static const unsigned char prefix = 0x00;
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, &prefix, 1);
    if (count > 0)
        SHA256_Update(&context, entry, count);
    SHA256_Final((unsigned char *)hash, &context);
}

/// Writes the 32 bytes of SHA-256(0x01 || left || right) to `hash`; `left` and `right` have 32 bytes each.
static inline void daypass_merkle_node(const void *left, const void *right, void *hash)
{
    unsigned char message[65];
    message[0] = 0x01;
    for (int index = 0; index < 32; index++) {
        message[1 + index] = ((const unsigned char *)left)[index];
        message[33 + index] = ((const unsigned char *)right)[index];
    }
    daypass_sha256(message, sizeof message, hash);
}

#pragma GCC diagnostic pop

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
