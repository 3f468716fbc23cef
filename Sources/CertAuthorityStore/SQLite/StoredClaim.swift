// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import CertAuthority

/// A claim as JSON in a column.
struct StoredClaim: Codable {
    let claim: Claim

    init(_ claim: Claim) { self.claim = claim }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            claim = .null
        } else if let value = try? container.decode(Bool.self) {
            claim = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            claim = .number(value)
        } else if let value = try? container.decode(String.self) {
            claim = .text(value)
        } else if let values = try? container.decode([StoredClaim].self) {
            claim = .list(values.map(\.claim))
        } else {
            claim = .mapping(try container.decode([String: StoredClaim].self).mapValues(\.claim))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch claim {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let values): try container.encode(values.map(StoredClaim.init))
        case .mapping(let values): try container.encode(values.mapValues(StoredClaim.init))
        }
    }
}
