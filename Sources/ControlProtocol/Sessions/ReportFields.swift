// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// `name=value` fields that a NUL byte ends, each taken once.
///
/// Bytes that are not UTF-8 become replacement characters: an account name may hold any, and a login must not go
/// unrecorded for them.
struct ReportFields {
    /// The most fields: several times what any message of ours has.
    private static let maximumCount = 64

    private var fields: [String: String] = [:]

    /// - Parameter mark: the first field's name, whose value is the format's version, 1.
    init(_ bytes: [UInt8], _ mark: String, maximumBytes: Int) throws(ControlProtocolError) {
        guard bytes.count <= maximumBytes else {
            throw ControlProtocolError(
                .tooLong, "\(mark): \(bytes.count) bytes, at most \(maximumBytes) are allowed")
        }
        guard bytes.last == 0 else { throw ControlProtocolError(.missing, "\(mark): its end is missing") }
        guard bytes.starts(with: Array("\(mark)=1\0".utf8)) else {
            throw ControlProtocolError(.invalidValue, "\(mark): version 1 expected first")
        }
        let parts = bytes.dropLast().split(
            separator: 0, maxSplits: Self.maximumCount + 1, omittingEmptySubsequences: false)
        for field in parts.dropFirst() {
            guard fields.count < Self.maximumCount else {
                throw ControlProtocolError(.tooLong, "\(mark): over \(Self.maximumCount) fields")
            }
            guard let middle = field.firstIndex(of: UInt8(ascii: "=")) else {
                throw ControlProtocolError(.invalidValue, "\(mark): a field without =")
            }
            let name = String(decoding: field[..<middle], as: UTF8.self)
            let value = String(decoding: field[(middle + 1)...], as: UTF8.self)
            guard fields.updateValue(value, forKey: name) == nil else {
                throw ControlProtocolError(.unexpected, "\(mark): a field twice")
            }
        }
    }

    /// Takes a field's text out.
    mutating func take(_ name: String, upTo maximumBytes: Int) throws(ControlProtocolError) -> String {
        guard let value = fields.removeValue(forKey: name) else {
            throw ControlProtocolError(.missing, "\(name) is missing")
        }
        guard value.utf8.count <= maximumBytes else {
            throw ControlProtocolError(
                .tooLong, "\(name): \(value.utf8.count) bytes, at most \(maximumBytes) are allowed")
        }
        return value
    }

    /// Takes a field's number out: decimal digits only, in the range of its type.
    mutating func takeNumber<Number: FixedWidthInteger>(_ name: String) throws(ControlProtocolError) -> Number
    {
        let text = try take(name, upTo: 20)
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Number(text)
        else { throw ControlProtocolError(.invalidValue, "\(name): a number expected") }
        return number
    }

    /// Makes sure that nothing is left.
    func finish() throws(ControlProtocolError) {
        guard fields.isEmpty else {
            throw ControlProtocolError(.unexpected, "\(fields.count) fields that are not known")
        }
    }
}
