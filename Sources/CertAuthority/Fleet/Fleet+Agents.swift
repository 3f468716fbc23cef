// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

extension Fleet {
    /// The ids of the hosts whose agents have joined.
    public var hostIDs: Set<String> { state.withLock { Set($0.hosts.values.map(\.id)) } }
}
