// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import SSHWire

/// Reads a span of time: a number and a unit, several of them joined ("90s", "15m", "8h", "1d12h", "2w"); a bare
/// number is seconds, as ssh_config(5) has it.
///
/// - Returns: seconds.
/// - Throws: `.invalidRequest` for anything else, zero, or more than 64 bits hold.
public func parseTimeSpan(_ text: String, field: String) throws(CertAuthorityError) -> UInt64 {
    let refusal = CertAuthorityError(
        .invalidRequest,
        "\(field) \"\(text.escapedForTerminal)\": a positive time like 90s, 15m, 8h, 1d12h or 2w expected")
    guard !text.isEmpty, text.utf8.count <= 64 else { throw refusal }
    let units: [Character: UInt64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800]
    var total: UInt64 = 0
    var digits = ""
    for character in text + (text.last?.isNumber == true ? "s" : "") {
        if character.isASCII, character.isNumber {
            digits.append(character)
            continue
        }
        guard let unit = units[Character(character.lowercased())], let count = UInt64(digits) else {
            throw refusal
        }
        let (seconds, tooLarge) = count.multipliedReportingOverflow(by: unit)
        let (sum, overflow) = total.addingReportingOverflow(seconds)
        guard !tooLarge, !overflow else {
            throw CertAuthorityError(
                .invalidRequest, "\(field) \"\(text.escapedForTerminal)\": more seconds than 64 bits hold")
        }
        total = sum
        digits = ""
    }
    guard total > 0 else { throw refusal }
    return total
}

/// Writes a span of time as ``parseTimeSpan(_:field:)`` reads it.
public func spell(_ seconds: UInt64) -> String {
    let units: [(String, UInt64)] = [("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)]
    var rest = seconds
    var text = ""
    // Weeks only when nothing is left over: "1w" is plain, "1w2d" is not.
    for (name, size) in units where name != "w" || seconds % size == 0 {
        if rest >= size {
            text += "\(rest / size)\(name)"
            rest %= size
        }
    }
    return text.isEmpty ? "0s" : text
}
