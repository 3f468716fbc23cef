// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// What the control plane and its signer say to each other over a Unix socket (docs/formats/signing-order.md): frames
/// of a `uint32` length and a body, in the types of RFC 4251.
public struct SigningOrder: Sendable, Hashable {
    /// Comes back with the answer.
    public let number: UInt64
    /// Places in the log.
    public let indexes: [UInt64]

    /// The most bytes of a frame's body: 1,024 RSA-16384 signatures are 2 MiB and a bit.
    public static let maximumFrameBytes = 4 << 20

    public init(number: UInt64, indexes: [UInt64]) {
        self.number = number
        self.indexes = indexes
    }

    public var frame: [UInt8] {
        var writer = WireWriter(reserving: 16 + indexes.count * 8)
        writer.writeNested { writer in
            writer.write(number)
            for index in indexes { writer.write(index) }
        }
        return writer.bytes
    }

    public init(body: Span<UInt8>) throws(SSHWireError) {
        var reader = WireReader(body)
        number = try reader.readUInt64("order number")
        var indexes: [UInt64] = []
        while !reader.isAtEnd {
            guard indexes.count < SigningDesk.maximumOrder else {
                throw SSHWireError(.tooLong, "order: over \(SigningDesk.maximumOrder) places")
            }
            indexes.append(try reader.readUInt64("place"))
        }
        self.indexes = indexes
    }
}

/// The answer to a ``SigningOrder``.
public struct SigningAnswer: Sendable, Hashable {
    public let number: UInt64
    /// The signatures in the order's order, or why there is none.
    public let result: Result<[Signature], CertAuthorityError>

    public init(number: UInt64, result: Result<[Signature], CertAuthorityError>) {
        self.number = number
        self.result = result
    }

    public var frame: [UInt8] {
        var writer = WireWriter(reserving: 1_024)
        writer.writeNested { writer in
            writer.write(number)
            switch result {
            case .success(let signatures):
                writer.write(UInt8(0))
                for signature in signatures { writer.writeString(signature.encoded) }
            case .failure(let error):
                writer.write(UInt8(1))
                writer.writeString(Array(error.reason.utf8.prefix(1_024)))
            }
        }
        return writer.bytes
    }

    public init(body: Span<UInt8>) throws(SSHWireError) {
        var reader = WireReader(body)
        number = try reader.readUInt64("answer number")
        if try reader.readUInt8("outcome") == 0 {
            var signatures: [Signature] = []
            while !reader.isAtEnd {
                let encoded = try reader.readBytes("signature", upTo: SigningOrder.maximumFrameBytes)
                signatures.append(try Signature(encoded: encoded.span))
            }
            result = .success(signatures)
        } else {
            let reason = try reader.readText("reason", upTo: 1_024)
            try reader.finish("answer")
            result = .failure(CertAuthorityError(.key, "signer: \(reason.string.escapedForTerminal)"))
        }
    }

    public static func == (one: SigningAnswer, other: SigningAnswer) -> Bool { one.frame == other.frame }
    public func hash(into hasher: inout Hasher) { hasher.combine(frame) }
}
