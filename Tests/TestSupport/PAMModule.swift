// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

#if os(Linux)

    import Foundation

    /// The session hook as a PAM module, made by `scripts/build-pam` from the sources that the tests came from.
    public enum PAMModule {
        /// True when PAM's headers are installed.
        public static let canBeBuilt = FileManager.default.fileExists(
            atPath: "/usr/include/security/pam_ext.h")

        /// The absolute path of the module, made once for each run of the tests, beside their bundle.
        ///
        /// - Throws: ``TestSupportError`` with what the compiler said.
        public static func path() throws -> String { try module.get() }

        /// A program that calls the module's functions with what standard input says, without PAM and without sshd
        /// (Tests/PAMDriver).
        ///
        /// - Throws: ``TestSupportError`` with what the compiler said.
        public static func builtDriver(_ flavour: DriverFlavour) throws -> String {
            switch flavour {
            case .sanitized: try sanitizedDriver.get()
            case .counting: try countingDriver.get()
            }
        }

        /// What watches the module while the driver runs.
        public enum DriverFlavour: Sendable {
            /// AddressSanitizer and UndefinedBehaviorSanitizer.
            case sanitized
            /// A count of all allocations.
            case counting
        }

        /// Calls one of the module's functions.
        ///
        /// - Parameters:
        ///   - function: `open`, `close` or `setcred`.
        ///   - options: as they stand in a PAM file.
        ///   - values: `PAM_USER`, `SSH_CONNECTION` and so on; what is missing, PAM doesn't have.
        /// - Returns: the status is the function's result; standard error has what would go to syslog.
        public static func call(
            _ function: String, _ options: [String], values: [(name: String, value: [UInt8])],
            flavour: DriverFlavour = .sanitized, environment: [String: String] = [:]
        ) throws -> ToolResult {
            var input: [UInt8] = []
            for (name, value) in values { input += Array("\(name)=".utf8) + value + [0] }
            return try Tool.run(
                builtDriver(flavour), [function] + options, stdin: input,
                environment: Tool.environment(adding: environment))
        }

        private static let module = Result {
            let path = "\(buildFolder)/pam_daypass.so"
            try Tool.run("\(root)/scripts/build-pam", [path]).orThrow("scripts/build-pam")
            return path
        }
        private static let sanitizedDriver = Result {
            try makeDriver(
                "pam-driver-sanitized", ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g"])
        }
        private static let countingDriver = Result {
            try makeDriver("pam-driver-counting", ["-DCOUNT_ALLOCATIONS", "-O2"])
        }

        private static func makeDriver(_ name: String, _ flags: [String]) throws -> String {
            let path = "\(buildFolder)/\(name)"
            // Under another name first: another run of the tests may have it open.
            let new = "\(path).\(getpid())"
            try Tool.run(
                "cc",
                ["-std=c11", "-Wall", "-Wextra", "-Werror"] + flags + [
                    "-o", new, "\(root)/Tests/PAMDriver/pam_driver.c",
                ]
            ).orThrow("compile the driver")
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: new)
            guard unsafe rename(new, path) == 0 else { throw TestSupportError.system("rename \(new)") }
            return path
        }

        /// This file is two folders below the repository's root.
        private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path

        private static let buildFolder = Bundle.main.executableURL?.deletingLastPathComponent().path ?? "."
    }
#endif
