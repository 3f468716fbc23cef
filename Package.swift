// swift-tools-version: 6.2
// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let package = Package(
    name: "daypass",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "daypass", targets: ["daypass"]),
        .executable(name: "daypassd", targets: ["daypassd"]),
        .library(name: "SSHWire", targets: ["SSHWire"]),
        .library(name: "TransparencyLog", targets: ["TransparencyLog"]),
        .library(name: "CertAuthority", targets: ["CertAuthority"]),
        .library(name: "CertAuthorityStore", targets: ["CertAuthorityStore"]),
        .library(name: "ControlProtocol", targets: ["ControlProtocol"]),
        .library(name: "CertAuthorityOIDC", targets: ["CertAuthorityOIDC"]),
        // For the package in Fuzzing, which can reach products only.
        .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
        .library(name: "CSodium", targets: ["CSodium"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // Ground: C libraries, SSH's formats, the log's formats.
        .systemLibrary(
            name: "CSodium", pkgConfig: "libsodium",
            providers: [.apt(["libsodium-dev"]), .brew(["libsodium"])]),
        .systemLibrary(
            name: "COpenSSL", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"]), .brew(["openssl@3"])]),
        .target(name: "SSHWire", dependencies: ["CSodium", "COpenSSL"]),
        .target(name: "TransparencyLog", dependencies: ["COpenSSL"]),

        // Shared: every message between our processes.
        .target(name: "ControlProtocol", dependencies: ["SSHWire"]),

        // Domain: who may have what.
        .target(
            name: "CertAuthority",
            dependencies: [
                "SSHWire", "TransparencyLog", "CSodium",
                .product(name: "Yams", package: "Yams"),
            ]),

        // Edges: the ports on real databases; terminals.
        .target(
            name: "CertAuthorityStore",
            dependencies: [
                "CertAuthority", "CSodium", "SSHWire", "TransparencyLog",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),

        // Speaks HTTP: translates, never decides.
        .target(
            name: "ControlPlane",
            dependencies: [
                "CertAuthority", "ControlProtocol", "SSHWire", "TransparencyLog",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "X509", package: "swift-certificates"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]),

        // The other end of the control plane's API, as people's machines speak it.
        .target(
            name: "ControlClient",
            dependencies: [
                "ControlProtocol", "SSHWire",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),

        // Who somebody is, as OpenID Connect providers say it.
        .target(
            name: "CertAuthorityOIDC",
            dependencies: [
                "CertAuthority", "ControlProtocol", "SSHWire",
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),

        .target(
            name: "CommandSupport",
            dependencies: [
                "SSHWire", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),

        // Programs: arguments, wiring, exit codes.
        .executableTarget(
            name: "daypass",
            dependencies: [
                "CertAuthority", "CertAuthorityStore", "CommandSupport", "ControlClient", "ControlProtocol",
                "SSHWire", "TransparencyLog",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(
            name: "daypassd",
            dependencies: [
                "CertAuthority", "CertAuthorityOIDC", "CertAuthorityStore", "CommandSupport", "ControlPlane",
                "ControlProtocol",
                "SSHWire", "TransparencyLog",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),

        // Proof.
        .target(name: "TestSupport", path: "Tests/TestSupport"),
        // Real OpenID Connect providers, started by a test.
        .target(
            name: "IdentityProviders", dependencies: ["ControlProtocol", "SSHWire", "TestSupport"],
            path: "Tests/IdentityProviders",
            exclude: ["requirements.txt"]),
        // What must hold for every input of every parser: for the fuzzer, and for the tests that replay its corpus.
        .target(
            name: "FuzzTargets",
            dependencies: ["CertAuthority", "ControlProtocol", "SSHWire", "TransparencyLog"],
            path: "Tests/FuzzTargets"),
        .testTarget(name: "CorpusReplayTests", dependencies: ["FuzzTargets"]),
        .testTarget(
            name: "TransparencyLogTests", dependencies: ["TransparencyLog", "TestSupport", "COpenSSL"]),
        // Loads a private key, signs, and looks for copies of it in its own memory.
        .executableTarget(name: "MemoryProbe", dependencies: ["SSHWire"], path: "Tests/MemoryProbe"),
        .testTarget(name: "SSHWireTests", dependencies: ["SSHWire", "TestSupport", "MemoryProbe"]),
        .testTarget(
            name: "CertAuthorityTests",
            dependencies: ["CertAuthority", "CSodium", "SSHWire", "TransparencyLog", "TestSupport"],
            exclude: ["Snapshots"]),
        .testTarget(
            name: "CertAuthorityStoreTests",
            dependencies: [
                "CertAuthority", "CertAuthorityStore", "CSodium", "SSHWire", "TransparencyLog", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        // The API in this process over real TLS; and the built daypassd, killed.
        .testTarget(
            name: "ControlPlaneTests",
            dependencies: [
                "CertAuthority", "ControlClient", "ControlPlane", "ControlProtocol", "CSodium", "SSHWire",
                "TestSupport", "TransparencyLog", "daypass", "daypassd",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        // With real providers too: Glewlwyd and oidc-provider-mock.
        .testTarget(
            name: "CertAuthorityOIDCTests",
            dependencies: [
                "CertAuthority", "CertAuthorityOIDC", "ControlProtocol", "IdentityProviders", "SSHWire",
                "TestSupport",
                .product(name: "JWTKit", package: "jwt-kit"),
            ]),
        .testTarget(
            name: "ControlClientTests",
            dependencies: ["CertAuthority", "ControlClient", "ControlProtocol", "SSHWire", "TestSupport"]),
        // The built programs and the real sshd, ssh, ssh-keygen and ssh-agent.
        .testTarget(
            name: "InteropTests",
            dependencies: [
                "CertAuthority", "ControlProtocol", "IdentityProviders", "SSHWire", "TransparencyLog",
                "TestSupport",
                "daypass", "daypassd",
            ]),
    ]
)

// Hosts are Linux machines: elsewhere their side is not built.
#if os(Linux)
    package.products += [
        .executable(name: "daypass-agent", targets: ["daypass-agent"]),
        .executable(name: "daypass-session", targets: ["daypass-session"]),
    ]
    package.targets.first { $0.name == "FuzzTargets" }?.dependencies.append("Agent")
    package.targets.first { $0.name == "CommandSupport" }?.dependencies.append("CLinux")
    package.targets.first { $0.name == "InteropTests" }?.dependencies += ["daypass-agent", "daypass-session"]
    package.targets += [
        // Linux's calls that Swift does not show.
        .systemLibrary(name: "CLinux"),
        // The system's TLS and YAML for the agent, which has no room for SwiftNIO and no Foundation.
        .systemLibrary(name: "COpenSSLTLS", pkgConfig: "libssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(
            name: "Agent",
            dependencies: [
                "CLibYAML", "CLinux", "COpenSSLTLS", "ControlProtocol", "SSHWire", "TransparencyLog",
            ]),
        .executableTarget(
            name: "daypass-agent",
            dependencies: [
                "Agent", "CommandSupport", "ControlProtocol", "SSHWire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        // No dependency at all: sshd starts it at every login.
        .executableTarget(name: "daypass-session"),
        .testTarget(
            name: "AgentTests",
            dependencies: ["Agent", "ControlProtocol", "SSHWire", "TestSupport", "TransparencyLog"]),
        // Changes trust or grants on a test's own host, where one operation fails or the process dies.
        .executableTarget(
            name: "TrustFaultProbe", dependencies: ["Agent", "ControlProtocol", "SSHWire"],
            path: "Tests/TrustFaultProbe"),
        // The agent's built programs and the real sshd, ssh and PAM.
        .testTarget(
            name: "AgentInteropTests",
            dependencies: [
                "Agent", "ControlProtocol", "SSHWire", "TestSupport", "TrustFaultProbe", "daypass-agent",
                "daypass-session",
            ]),
    ]
#endif

// One set of rules for every target that is compiled here.
for target in package.targets where target.type != .system && target.type != .binary {
    var settings = target.swiftSettings ?? []
    settings += [
        // `any P` is written where a value is boxed: a box has a cost that the reader should see.
        .enableUpcomingFeature("ExistentialAny"),
        // A member is visible only where its module is imported: no accidental dependencies.
        .enableUpcomingFeature("MemberImportVisibility"),
        // `import` is `internal import` unless it says `public`: what leaks into our interface is chosen.
        .enableUpcomingFeature("InternalImportsByDefault"),
        // `async` functions stay on their caller's actor: no silent hops.
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        // Cursors over borrowed bytes (`~Escapable`) state what they borrow from.
        .enableExperimentalFeature("Lifetimes"),
        // Every use of an unsafe pointer is marked `unsafe` at its line.
        .strictMemorySafety(),
    ]
    target.swiftSettings = settings
}
