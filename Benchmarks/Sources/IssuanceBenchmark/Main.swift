// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CSodium
import CertAuthority
import CertAuthorityStore
import SSHWire
import TransparencyLog

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Measures issuing beside the primitive that it cannot beat, in one process.
///
/// Arguments: the seconds for each measurement (default 2), a folder for the database, and `memory` to measure issuing
/// in memory only.
@main
struct IssuanceBenchmark {
    static func main() async throws {
        let seconds = CommandLine.arguments.dropFirst().first.flatMap(Double.init) ?? 2
        let folder = CommandLine.arguments.dropFirst(2).first ?? "/tmp"
        let bench = try Bench(seconds: seconds, folder: folder)
        if CommandLine.arguments.dropFirst(3).first == "memory" {
            try await bench.runInMemory()
        } else {
            try await bench.run()
        }
    }
}

struct Bench {
    let seconds: Double
    let folder: String
    let key: PrivateKey
    let requests: [IssuanceRequest]

    init(seconds: Double, folder: String) throws {
        self.seconds = seconds
        self.folder = folder
        key = try PrivateKey.generate(.ed25519, comment: "bench")
        let requester = try Identity("bench")
        let principals = try PrincipalSet(users: ["deploy"])
        let identity = try Identity("alice@example.com")
        requests = try (0..<128).map { _ in
            var subject = [UInt8](repeating: 0, count: 32)
            randombytes_buf(&subject, 32)
            return try IssuanceRequest(
                key: try PublicKey(.ed25519(subject)), subject: .user(try UserOptions()), identity: identity,
                principals: principals, requester: requester)
        }
    }

    func run() async throws {
        let length = try await messageLength()
        let (bare, memory) = try await besideBare(messageLength: length)
        let (bareRate, memoryRate) = (median(bare), median(memory))
        let ratios = zip(memory, bare).map { $0 / $1 }
        print("one core, Ed25519, \(length) bytes to sign")
        line("libsodium, bare signatures from resident memory", bareRate)
        line(
            "issued in memory, CA key in guarded memory", memoryRate,
            "\(round(median(ratios), 2)) of bare (at least 0.85)")
        let (durable, count) = try await durable(issuers: 64)
        // What two cores could do if nothing were written: issuing in memory shares nothing between them.
        let both = 2 * memoryRate
        print("two cores")
        line(
            "recorded durably in SQLite by 64 issuers", durable,
            "\(round(durable / both, 2)) of two cores in memory (20,000/s or 0.60), \(count) issued")
        try await verification()
        try revocation()
        // For the programs that are timed after this one.
        for number in 1...2_000 {
            let line = try PublicKeyLine(.key(try newKey()), comment: "bench").text + "\n"
            try FileIO.write(Array(line.utf8).span, creatingFoldersIn: folder, at: "\(number).key.pub")
        }
    }

    /// Both rates, measured in many short turns, so that whatever slows the machine down slows both.
    private func besideBare(messageLength: Int) async throws -> (bare: [Double], memory: [Double]) {
        let turns = 31
        let turn = seconds * 3 / Double(turns)
        var bare: [Double] = []
        var memory: [Double] = []
        for _ in 0..<turns {
            bare.append(bareSigning(messageLength: messageLength, seconds: turn))
            memory.append(try await inMemory(seconds: turn))
        }
        return (bare, memory)
    }

    /// The rates beside each other only.
    func runInMemory() async throws {
        let (bare, memory) = try await besideBare(messageLength: try await messageLength())
        let ratios = zip(memory, bare).map { $0 / $1 }.sorted()
        print(
            "\(Int(median(memory))) issued in memory, \(Int(median(bare))) signed bare a second: "
                + "\(round(median(ratios), 3)), \(round(ratios[ratios.count / 4], 3)) to "
                + "\(round(ratios[ratios.count * 3 / 4], 3)) in half of the turns")
    }

    private func newKey() throws -> PublicKey {
        var bytes = [UInt8](repeating: 0, count: 32)
        randombytes_buf(&bytes, 32)
        return try PublicKey(.ed25519(bytes))
    }

    /// A log in SQLite, verified from its entries, beside the hashing alone.
    private func verification() async throws {
        let entries: UInt64 = 400_000
        let (ledger, signer) = try newLedger()
        let issuer = issuer(ledger)
        while try ledger.size() < entries {
            _ = try await issuer.issue(requests + requests + requests + requests)
        }
        let size = try ledger.size()
        let verifier = try NoteVerifier(name: signer.name, publicKey: signer.publicKey) {
            key, message, signature in
            guard let key = try? PublicKey(.ed25519(key)) else { return false }
            return (try? key.verify(Signature(.ed25519, blob: signature), over: message.span)) != nil
        }
        let start = processorSeconds()
        _ = try ledger.verify(logKey: verifier)
        let verified = Double(size) / (processorSeconds() - start)
        let entry = try ledger.entry(at: 0) ?? []
        let hashing = rate(seconds) {
            for _ in 0..<1_000 {
                _ = MerkleHash.node(MerkleHash.leaf(entry.span), MerkleHash.emptyRoot)
            }
            return 1_000
        }
        print("one core, a log of \(size) entries of \(entry.count) bytes")
        line("SHA-256 of an entry and a node", hashing)
        line(
            "log verified from SQLite", verified,
            "\(round(verified / hashing, 2)) of hashing alone (1,000,000/s)")
    }

    /// A list of a million revoked serials, left in the folder for ssh-keygen to read.
    private func revocation() throws {
        var serials: Set<UInt64> = []
        while serials.count < 1_000_000 { serials.insert(UInt64.random(in: 1...1 << 40)) }
        let start = processorSeconds()
        var builder = KeyRevocationList.Builder(version: 1, generatedUnixSeconds: 0)
        try builder.revoke(eachOf: serials, of: .authority(key.publicKey))
        let encoded = try builder.build().checkedEncoding()
        let built = processorSeconds() - start
        let parsing = processorSeconds()
        let list = try KeyRevocationList(encoded: encoded)
        let parsed = processorSeconds() - parsing
        let asking = processorSeconds()
        let subject = requests[0].key
        for serial in serials.prefix(1_000) {
            guard
                list.revocation(ofCertificateFor: subject, serial: serial, keyID: "", signedBy: key.publicKey)
                    != nil
            else { throw CertAuthorityError(.notFound, "serial \(serial) is not in the list") }
        }
        let asked = (processorSeconds() - asking) / 1_000
        try FileIO.write(encoded.span, to: folder + "/million.krl", mode: 0o644)
        print("one core, 1,000,000 revoked serials, \(encoded.count) bytes")
        print(
            "  built and read back in \(round(built, 3)) s, parsed in \(round(parsed, 3)) s, asked in \(round(asked * 1e6, 2)) µs"
        )
        // A certificate that is on it and one that is not, for ssh-keygen to judge.
        for (name, serial) in [("revoked", serials.min() ?? 1), ("good", 1 << 50)] {
            let fields = CertificateFields(
                nonce: [UInt8](repeating: 1, count: 32), key: subject, serial: serial, kind: .user,
                keyID: "bench",
                principals: ["deploy"], validAfter: .always, validBefore: .forever,
                signatureKey: key.publicKey)
            let toBeSigned = fields.toBeSigned
            let certificate = try Certificate(
                toBeSigned: toBeSigned, signature: try key.sign(toBeSigned.span))
            let line = try PublicKeyLine(.certificate(certificate)).text + "\n"
            try FileIO.write(line, to: "\(folder)/\(name)-cert.pub", mode: 0o644)
        }
    }

    private func newLedger() throws -> (SQLiteLedger, NoteSigner) {
        let path = "\(folder)/bench-\(UInt64.random(in: 0 ... .max)).sqlite"
        let logKey = try PrivateKey.generate(.ed25519, comment: "bench log")
        guard case .ed25519(let bytes) = logKey.publicKey.material else {
            throw CertAuthorityError(.key, "the log key is no Ed25519 key")
        }
        let signer = try NoteSigner(name: try KeyName("bench"), publicKey: bytes) {
            try logKey.sign($0.span).blob
        }
        try SQLiteLedger.create(at: path, origin: "bench", serials: .sequential, signer: signer)
        return (try SQLiteLedger(opening: path, signer: signer), signer)
    }

    private func bareSigning(messageLength: Int, seconds: Double) -> Double {
        var publicKey = [UInt8](repeating: 0, count: 32)
        var secretKey = [UInt8](repeating: 0, count: 64)
        crypto_sign_keypair(&publicKey, &secretKey)
        let message = [UInt8](repeating: 7, count: messageLength)
        var signature = [UInt8](repeating: 0, count: 64)
        return rate(seconds) {
            for _ in 0..<1_000 {
                crypto_sign_detached(&signature, nil, message, UInt64(message.count), secretKey)
            }
            return 1_000
        }
    }

    private func issuer(_ ledger: any Ledger) -> Issuer {
        Issuer(
            policy: IssuancePolicy(), ledger: ledger, signers: [.user: GuardedKeySigner(key)],
            clock: { 1_795_237_200_000 },
            randomBytes: { count in
                var bytes = [UInt8](repeating: 0, count: count)
                randombytes_buf(&bytes, count)
                return bytes
            })
    }

    /// How many bytes the CA signs for one of the certificates.
    private func messageLength() async throws -> Int {
        guard
            case .issued(let certificate, _)? = try await issuer(InMemoryLedger()).issue([requests[0]]).first
        else {
            return 0
        }
        return certificate.signedBytes.count
    }

    private func inMemory(seconds: Double) async throws -> Double {
        let start = processorSeconds()
        var count = 0
        while processorSeconds() - start < seconds {
            // A new ledger now and then: a log that only grows would measure how fast the system hands out memory.
            let issuer = issuer(InMemoryLedger())
            for _ in 0..<50 { count += try await issuer.issue(requests).count }
        }
        return Double(count) / (processorSeconds() - start)
    }

    private func durable(issuers: Int) async throws -> (rate: Double, count: Int) {
        let issuer = issuer(try newLedger().0)
        let clock = ContinuousClock()
        let start = clock.now
        let end = start + .seconds(seconds)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<issuers {
                group.addTask {
                    var issued = 0
                    // One certificate a call, as an API would issue them.
                    while clock.now < end { issued += try await issuer.issue([requests[number]]).count }
                    return issued
                }
            }
            return try await group.reduce(0, +)
        }
        return (Double(count) / ((clock.now - start) / .seconds(1)), count)
    }

    private func rate(_ seconds: Double, _ body: () -> Int) -> Double {
        let start = processorSeconds()
        var count = 0
        while processorSeconds() - start < seconds { count += body() }
        return Double(count) / (processorSeconds() - start)
    }

    /// Processor time of this process: what others run meanwhile does not count. Not of the thread: issuing changes
    /// it when an actor is called, and one thing runs at a time where this is asked.
    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private func round(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        return "\((value * scale).rounded() / scale)"
    }

    private func line(_ what: String, _ rate: Double, _ note: String = "") {
        let number = String(Int(rate.rounded()))
        let padding = String(repeating: " ", count: max(1, 62 - what.count - number.count))
        print("  \(what)\(padding)\(number)/s  \(note)")
    }
}
