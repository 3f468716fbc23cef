// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

/// The operations that only our agents do (docs/formats/host-operations.md). P0's agent refuses them, and in dry-run says
/// yes to all of them.
public enum DaypassCommand: String, Sendable, CaseIterable {
    case grant, revokeGrant, principals, listSessions, killSessions, scan, status, revocations, trust,
        checkpoint
}
