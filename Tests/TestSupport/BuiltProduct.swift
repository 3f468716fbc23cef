// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The programs that the same build made.
public enum BuiltProduct {
    /// The absolute path of an executable product, next to the test bundle.
    ///
    /// A test target that asks for one depends on it in Package.swift, so that it is built first.
    ///
    /// - Throws: ``TestSupportError`` when it isn't there.
    public static func path(_ name: String) throws -> String {
        #if os(macOS)
            // A helper of the toolchain loads the bundle, so the running program is somewhere else.
            let folder = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }?
                .bundleURL.deletingLastPathComponent().path
        #else
            let folder = Bundle.main.executableURL?.deletingLastPathComponent().path
        #endif
        let path = "\(folder ?? ".")/\(name)"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw TestSupportError("\(path) has not been built: name it among the test target's dependencies")
        }
        return path
    }
}
