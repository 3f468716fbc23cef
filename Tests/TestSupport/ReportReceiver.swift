// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)

    import Foundation
    import Synchronization

    /// What stands in for the agent at the session hook's socket: it keeps every packet that comes.
    public final class ReportReceiver: Sendable {
        /// What it does with a packet.
        public enum Manner: Sendable {
            /// Sends these bytes; "1" is what the agent says.
            case answer(String)
            /// Keeps the connection open and says nothing.
            case silence
            /// Closes the connection without a word.
            case hangUp
            /// Accepts no connection at all; its queue has room for one.
            case sleep
        }

        /// The socket's path.
        public let path: String
        private let listener: Int32
        private let state = Mutex((packets: [[UInt8]](), isStopped: false))

        /// - Parameter path: short enough for a socket's address, 107 bytes.
        public init(_ path: String, _ manner: Manner = .answer("1")) throws {
            self.path = path
            let number = Spawn.gate.withLock { _ in
                let number = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0)
                _ = fcntl(number, F_SETFD, FD_CLOEXEC)
                return number
            }
            listener = number
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            let name = Array(path.utf8)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) {
                unsafe $0.copyBytes(from: name.prefix(107))
            }
            let size = socklen_t(MemoryLayout<sockaddr_un>.size)
            let isBound = unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(number, $0, size) == 0
                }
            }
            var isSleeping = false
            if case .sleep = manner { isSleeping = true }
            guard isBound, listen(number, isSleeping ? 0 : 64) == 0 else {
                _ = close(number)
                throw TestSupportError.system("listen at \(path)")
            }
            if !isSleeping { Thread.detachNewThread { [self] in serve(manner) } }
        }

        /// The packets so far, in the order in which they came.
        public var packets: [[UInt8]] { state.withLock { $0.packets } }

        /// Waits until there are at least `count` packets.
        ///
        /// - Throws: ``TestSupportError`` when `timeout` passes first.
        public func waitForPackets(_ count: Int, timeout: Duration = .seconds(10)) throws -> [[UInt8]] {
            let deadline = Deadline(after: timeout)
            while true {
                let packets = self.packets
                if packets.count >= count { return packets }
                guard !deadline.hasPassed else {
                    throw TestSupportError("\(packets.count) of \(count) reports came")
                }
                _ = waitForEvents(on: [], milliseconds: 2)
            }
        }

        /// Takes no further connection; the socket's file stays, and whoever connects to it is refused.
        public func stop() {
            // Closing alone would not wake accept(2).
            if !state.withLock({
                let was = $0.isStopped; $0.isStopped = true; return was
            }) {
                _ = shutdown(listener, Int32(SHUT_RDWR))
            }
        }

        private func serve(_ manner: Manner) {
            var kept: [Int32] = []
            var room = [UInt8](repeating: 0, count: 1 << 20)
            while true {
                let connection = accept(listener, nil, nil)
                if connection < 0, errno == EINTR { continue }
                guard connection >= 0 else { break }
                _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
                let count = unsafe recv(connection, &room, room.count, 0)
                if count > 0 { state.withLock { $0.packets.append(Array(room[..<count])) } }
                switch manner {
                case .answer(let text):
                    _ = unsafe send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL))
                    _ = close(connection)
                case .silence: kept.append(connection)
                case .hangUp, .sleep: _ = close(connection)
                }
            }
            for connection in kept { _ = close(connection) }
            _ = close(listener)
        }
    }
#endif
