// swift-tools-version: 6.2
// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// A package of its own: everything in it is built with `--sanitize=fuzzer`, which `swift test` must not be.
let package = Package(
    name: "daypass-fuzzing",
    platforms: [.macOS(.v15)],
    dependencies: [
        // Named, because SwiftPM calls a package in a folder after the folder, whatever that is on this machine.
        .package(name: "daypass", path: "..")
    ],
    targets: [
        .executableTarget(
            name: "fuzz",
            dependencies: [.product(name: "FuzzTargets", package: "daypass")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
                .enableUpcomingFeature("InternalImportsByDefault"),
                .strictMemorySafety(),
                // libFuzzer brings its own main.
                .unsafeFlags(["-parse-as-library"]),
            ])
    ]
)
