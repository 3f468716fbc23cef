// swift-tools-version: 6.2
// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let package = Package(
    name: "Benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "daypass", path: "..")],
    targets: [
        .executableTarget(
            name: "IssuanceBenchmark",
            dependencies: [
                .product(name: "SSHWire", package: "daypass"),
                .product(name: "TransparencyLog", package: "daypass"),
                .product(name: "CertAuthority", package: "daypass"),
                .product(name: "CertAuthorityStore", package: "daypass"),
                .product(name: "CSodium", package: "daypass"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ]),
        .executableTarget(
            name: "FleetHosts",
            dependencies: [
                .product(name: "SSHWire", package: "daypass"),
                .product(name: "CertAuthority", package: "daypass"),
                .product(name: "CertAuthorityStore", package: "daypass"),
                .product(name: "ControlProtocol", package: "daypass"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ]),
        .executableTarget(
            name: "PlaneRequests",
            dependencies: [
                .product(name: "SSHWire", package: "daypass"),
                .product(name: "CertAuthority", package: "daypass"),
                .product(name: "CertAuthorityStore", package: "daypass"),
                .product(name: "ControlProtocol", package: "daypass"),
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"),
                .enableUpcomingFeature("MemberImportVisibility"),
            ]),
    ]
)
