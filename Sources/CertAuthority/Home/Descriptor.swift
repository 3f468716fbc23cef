// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

import SSHWire

/// An open file, closed when this goes out of use.
struct Descriptor: ~Copyable {
    let number: Int32

    init(owning number: Int32) { self.number = number }

    /// Opens for reading.
    init(opening path: String) throws(CertAuthorityError) {
        number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw .system("cannot open", path, errno) }
    }

    deinit { close(number) }

    /// Reads once; 0 at the end.
    func read(into buffer: inout [UInt8], _ path: String) throws(CertAuthorityError) -> Int {
        while true {
            #if canImport(Darwin)
                let count = unsafe Darwin.read(number, &buffer, buffer.count)
            #else
                let count = unsafe Glibc.read(number, &buffer, buffer.count)
            #endif
            if count >= 0 { return count }
            guard errno == EINTR else { throw .system("cannot read", path, errno) }
        }
    }

    /// Writes everything.
    func write(_ content: Span<UInt8>, _ path: String) throws(CertAuthorityError) {
        var written = 0
        while written < content.count {
            let count = unsafe content.extracting(written..<content.count).withUnsafeBufferPointer { rest in
                #if canImport(Darwin)
                    unsafe Darwin.write(number, rest.baseAddress, rest.count)
                #else
                    unsafe Glibc.write(number, rest.baseAddress, rest.count)
                #endif
            }
            if count > 0 {
                written += count
            } else if errno != EINTR {
                throw .system("cannot write", path, errno)
            }
        }
    }
}
