// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension String {
    /// The text with everything escaped that could act on a terminal, a log line or a reader's eye.
    ///
    /// Control characters, line and paragraph separators, format characters (among them the bidirectional
    /// overrides), surrogates, unassigned code points and characters with nothing to see become `\u{…}`, a backslash
    /// becomes `\\`; the rest stays.
    public var escapedForTerminal: String {
        guard unicodeScalars.contains(where: Self.needsEscape) else { return self }
        var escaped = ""
        for scalar in unicodeScalars {
            if scalar == "\\" {
                escaped += "\\\\"
            } else if Self.needsEscape(scalar) {
                escaped += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    private static func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value >= 0x20, scalar.value < 0x7f { return scalar == "\\" }
        return switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
            true
        // Hangul fillers are letters and variation selectors are marks, but nobody sees them: "root" with one behind
        // it would look like "root".
        default: scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// True when the text holds a control or format character or a line separator, a tab among them.
    public var holdsControlCharacters: Bool {
        // Most texts are plain.
        !utf8.allSatisfy { (0x20...0x7e).contains($0) }
            && unicodeScalars.contains { $0 != "\\" && Self.needsEscape($0) }
    }
}
