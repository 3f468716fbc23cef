// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
import Foundation
import Synchronization

/// What a pair of operations takes where every processor is busy with them.
func millisecondsOfAPair(for seconds: Double) -> Double {
    let processors = ProcessInfo.processInfo.activeProcessorCount
    let rate = Mutex(0.0)
    DispatchQueue.concurrentPerform(iterations: processors) { _ in
        let own = pairsPerSecond(for: seconds)
        rate.withLock { $0 += own }
    }
    return 1_000 * Double(processors) / rate.withLock { $0 }
}

/// How often a request's proof can be verified and a certificate signed, by libsodium and one thread, with nothing around it.
private func pairsPerSecond(for seconds: Double) -> Double {
    var publicKey = [UInt8](repeating: 0, count: 32)
    var secretKey = [UInt8](repeating: 0, count: 64)
    _ = crypto_sign_keypair(&publicKey, &secretKey)
    // About what a proof and a certificate have.
    let message = [UInt8](repeating: 7, count: 350)
    var signature = [UInt8](repeating: 0, count: 64)
    var pairs = 0
    let clock = ContinuousClock()
    let start = clock.now
    while clock.now - start < .seconds(seconds) {
        for _ in 0..<50 {
            _ = crypto_sign_detached(&signature, nil, message, UInt64(message.count), secretKey)
            precondition(
                crypto_sign_verify_detached(signature, message, UInt64(message.count), publicKey) == 0)
        }
        pairs += 50
    }
    return Double(pairs) / ((clock.now - start) / .seconds(1))
}
