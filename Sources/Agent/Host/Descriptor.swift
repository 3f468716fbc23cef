// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import SSHWire

/// An open file, closed when this goes out of use.
struct Descriptor: ~Copyable {
    let number: Int32

    init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// Reads to the end, at most `maximumBytes`.
    func readAll(_ path: String, maximumBytes: Int) throws(AgentError) -> [UInt8] {
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = unsafe read(number, &chunk, chunk.count)
            if count == 0 { return content }
            if count < 0 {
                guard errno == EINTR else { throw .system("cannot read", path) }
                continue
            }
            guard content.count + count <= maximumBytes else {
                throw AgentError(
                    .file,
                    "\(path.escapedForTerminal): over \(maximumBytes) bytes, which nothing sensible here is")
            }
            content += chunk[..<count]
        }
    }

    /// The file's size in bytes.
    func size(_ path: String) throws(AgentError) -> Int64 {
        var status = stat()
        guard unsafe fstat(number, &status) == 0 else { throw .system("cannot look at", path) }
        return Int64(status.st_size)
    }

    /// Writes everything.
    func writeAll(_ content: [UInt8], _ path: String) throws(AgentError) {
        var written = 0
        while written < content.count {
            let count = unsafe content[written...].withUnsafeBytes { rest in
                unsafe write(number, rest.baseAddress, rest.count)
            }
            if count > 0 { written += count } else if errno != EINTR { throw .system("cannot write", path) }
        }
    }
}
