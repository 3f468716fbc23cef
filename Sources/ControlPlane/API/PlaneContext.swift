// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import Hummingbird
import NIOCore
public import SSHWire

/// What the server knows of a request beside its bytes.
public struct PlaneContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    /// Where the connection comes from; nil when that can't be told.
    public let sourceAddress: IPAddress?
    /// The port that the connection came in at; nil when that can't be told.
    public let localPort: Int?

    /// Each operation has a smaller maximum of its own.
    public var maxUploadSize: Int { Operation.maximumBodyBytes }

    public init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        let text = source.channel.remoteAddress?.ipAddress
        sourceAddress = text.flatMap { try? IPAddress($0) }
        localPort = source.channel.localAddress?.port
    }
}
