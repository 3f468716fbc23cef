// swift-tools-version: 6.2
// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// A program that measures, or prepares what is measured, with libraries of the package above.
func program(_ name: String, _ libraries: [String]) -> Target {
    .executableTarget(
        name: name, dependencies: libraries.map { .product(name: $0, package: "daypass") },
        swiftSettings: [
            .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
        ])
}

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "daypass", path: "..")],
    targets: [
        program(
            "IssuanceBenchmark",
            ["SSHWire", "TransparencyLog", "CertAuthority", "CertAuthorityStore", "CSodium"]),
        program("FleetHosts", ["SSHWire", "CertAuthority", "CertAuthorityStore", "ControlProtocol"]),
        program(
            "PlaneRequests", ["SSHWire", "CertAuthority", "CertAuthorityStore", "ControlProtocol", "CSodium"]),
    ]
)
