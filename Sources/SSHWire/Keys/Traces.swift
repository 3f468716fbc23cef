// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import CSodium

/// Wipes what work on secrets leaves in registers and in the stack below the caller.
///
/// Seen with glibc 2.36 and libcrypto 3.0: AES in CBC mode leaves the last blocks of plaintext in vector registers that
/// little other code uses, and the dynamic linker saves all registers on the stack when a function is called for the
/// first time, at any later moment.
@inline(never) func wipeTraces() {
    // The registers first: the second call may be a first call too.
    daypass_zero_registers()
    sodium_stackzero(stackScrubBytes)
}

/// In bytes: several times what libcrypto's and libsodium's deepest frames take, and a small part of any thread's stack.
private let stackScrubBytes = 32 << 10
