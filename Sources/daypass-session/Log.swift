// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Says one line to people: on standard error, which pam_exec and sshd drop, and to syslog.
///
/// - Parameter text: ours alone: nothing of it may come from outside.
func say(_ priority: Int32, _ text: String) {
    let line = Array("daypass-session: \(text)\n".utf8)
    _ = unsafe write(STDERR_FILENO, line, line.count)
    unsafe openlog("daypass-session", LOG_PID, LOG_AUTHPRIV)
    unsafe withVaList([]) { unsafe vsyslog(priority, text.replacingPercents, $0) }
}

/// The system's words for an error number.
func describe(_ number: Int32) -> String {
    guard let text = unsafe strerror(number) else { return "error \(number)" }
    return unsafe String(cString: text)
}

extension String {
    /// The text as a format that prints itself.
    fileprivate var replacingPercents: String {
        String(decoding: utf8.flatMap { $0 == 0x25 ? [0x25, 0x25] : [$0] }, as: UTF8.self)
    }
}
