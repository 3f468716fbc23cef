// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the tests' own footing could not do: a failure of the machine or of the test, never of the product.
public struct TestSupportError: Error, CustomStringConvertible {
    /// One line or several: what was tried, what came, and what the program said.
    public let description: String

    public init(_ description: String) { self.description = description }

    /// An error that ends in the text of the current `errno`.
    static func system(_ attempt: String, code: Int32 = errno) -> TestSupportError {
        TestSupportError("\(attempt): \(unsafe String(cString: strerror(code)))")
    }
}
