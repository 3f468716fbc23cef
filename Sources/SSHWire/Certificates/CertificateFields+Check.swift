// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension CertificateFields {
    /// Refuses what a parser would refuse if it met these fields in a certificate, for whoever does not parse what it
    /// has made.
    ///
    /// - Throws: the code that parsing throws.
    func checkForm() throws(SSHWireError) {
        try checkCount(nonce.count, Limits.nonceBytes, "nonce")
        try checkText(keyID, Limits.keyIDBytes, "key ID")
        try checkCount(principals.count, Limits.principals, "principals")
        for principal in principals {
            guard !principal.isEmpty else {
                throw SSHWireError(.invalidValue, "principals: an empty one")
            }
            try checkText(principal, Limits.principalBytes, "principal")
        }
        try checkOptions(criticalOptions, "critical options")
        try checkOptions(extensions, "extensions")
        try checkCount(reserved.count, Limits.optionsBytes, "reserved")
    }
}

private func checkCount(_ count: Int, _ maximum: Int, _ field: StaticString) throws(SSHWireError) {
    guard count <= maximum else {
        throw SSHWireError(.tooLong, "\(field): \(count), at most \(maximum) are allowed")
    }
}

private func checkText(_ text: ExactText, _ maximum: Int, _ field: StaticString) throws(SSHWireError) {
    try checkCount(text.string.utf8.count, maximum, field)
    guard !text.holdsNUL else { throw SSHWireError(.notText, "\(field): NUL") }
}

extension ExactText {
    fileprivate var holdsNUL: Bool {
        withBytes { bytes in
            unsafe bytes.withUnsafeBufferPointer { bytes in
                guard let start = bytes.baseAddress else { return false }
                return unsafe memchr(start, 0, bytes.count) != nil
            }
        }
    }
}

private func checkOptions(_ options: [CertificateOption], _ field: StaticString) throws(SSHWireError) {
    try checkCount(options.count, Limits.options, field)
    var bytes = 0
    var last: ExactText?
    for option in options {
        guard !option.name.isEmpty else {
            throw SSHWireError(.invalidValue, "\(field): an option without a name")
        }
        try checkText(option.name, Limits.optionNameBytes, "option name")
        guard last != option.name else {
            throw SSHWireError(
                .duplicate, "\(field): \"\(option.name.string.escapedForTerminal)\" occurs twice")
        }
        if let last, !(last < option.name) {
            throw SSHWireError(
                .unordered,
                "\(field): \"\(option.name.string.escapedForTerminal)\" stands after "
                    + "\"\(last.string.escapedForTerminal)\"")
        }
        last = option.name
        bytes += 8 + option.name.string.utf8.count + option.data.count
    }
    try checkCount(bytes, Limits.optionsBytes, field)
}
