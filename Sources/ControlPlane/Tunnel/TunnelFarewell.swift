// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import ServiceLifecycle

/// Closes the tunnels in order when the server ends: Hummingbird waits for its own connections alone.
public struct TunnelFarewell: Service {
    private let hub: TunnelHub

    private static let limit = Duration.seconds(2)

    public init(_ hub: TunnelHub) { self.hub = hub }

    public func run() async throws {
        try await gracefulShutdown()
        await hub.closeAll("the server is going away", within: Self.limit)
    }
}
