// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What the machine and this run allow, for conditions that keep a skipped test and its reason visible:
/// `@Test(.enabled(if: Running.asRoot, "needs root"))`.
public enum Running {
    /// True when the tests run with root's rights.
    public static let asRoot = geteuid() == 0

    /// The name of the account that the tests run as.
    public static let userName: String = {
        guard let entry = unsafe getpwuid(geteuid()), let name = unsafe entry.pointee.pw_name else {
            return "nobody"
        }
        return unsafe String(cString: name)
    }()

    /// True when an OpenSSH server is installed.
    public static let withSSHD = (try? Tool.find("sshd")) != nil

    /// True when sudo is installed.
    public static let withSudo = (try? Tool.find("visudo")) != nil

    /// True when AddressSanitizer watches this process.
    public static let underAddressSanitizer = isLoaded("__asan_init")

    /// True when ThreadSanitizer watches this process.
    public static let underThreadSanitizer = isLoaded("__tsan_init")

    private static func isLoaded(_ symbol: String) -> Bool {
        #if canImport(Darwin)
            // RTLD_DEFAULT is a macro that Swift cannot see.
            unsafe dlsym(UnsafeMutableRawPointer(bitPattern: -2), symbol) != nil
        #else
            unsafe dlsym(nil, symbol) != nil
        #endif
    }
}
