// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// TCP sockets of this network namespace that wait for connections (proc_net(5)).
enum ListeningSockets {
    /// The numbers of those that listen on one of these ports. A socket that was closed and opened again has another.
    static func inodes(ports: [UInt16]) -> Set<UInt64> {
        var found: Set<UInt64> = []
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let text = readSystemText(table) else { continue }
            found.formUnion(parse(text, ports: ports))
        }
        return found
    }

    static func parse(_ text: String, ports: [UInt16]) -> Set<UInt64> {
        var found: Set<UInt64> = []
        for line in text.split(separator: "\n").dropFirst() {
            // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode.
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A",
                let port = fields[1].split(separator: ":").last.flatMap({ UInt16($0, radix: 16) }),
                ports.contains(port), let inode = UInt64(fields[9])
            else { continue }
            found.insert(inode)
        }
        return found
    }
}

/// A file of /proc as text; nil when it cannot be read. Such files are made as they are read, and none of them is a
/// link that others could have put there.
func readSystemText(_ path: String) -> String? {
    let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return nil }
    let file = Descriptor(owning: number)
    // A table of sockets has 150 bytes for each; a million of them is beyond any host.
    guard let bytes = try? file.readAll(path, maximumBytes: 150 << 20) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
}
