// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Something that one policy answers otherwise than another.
public struct AccessDifference: Sendable {
    public enum Change: String, Sendable, Encodable {
        /// Was not allowed, is now.
        case gained
        /// Was allowed, isn't any more.
        case lost
        /// Is allowed as before, with another certificate; or refused as before, in another way.
        case changed
    }

    public let request: AccessRequest
    public let old: AccessDecision
    public let new: AccessDecision

    public var change: Change {
        switch (old.verdict.expectation == .allow, new.verdict.expectation == .allow) {
        case (false, true): .gained
        case (true, false): .lost
        default: .changed
        }
    }
}

extension AccessPolicy {
    /// Who gains and loses what by this policy in the place of another: both decide over everybody at every host and
    /// account of the universe, and over its requests as they are.
    ///
    /// A reason is taken as given, as people would give one.
    ///
    /// - Throws: `.invalidRequest` when the universe is larger than ``AccessUniverse/maximumRequests``.
    public func diff(
        from old: AccessPolicy, over universe: AccessUniverse, key: PublicKey,
        at now: UnixTime = AccessTest.defaultTime, from sourceAddress: IPAddress? = nil
    ) throws(CertAuthorityError) -> [AccessDifference] {
        let (pairs, pairsOverflow) = universe.people.count.multipliedReportingOverflow(
            by: universe.hosts.count)
        let (count, overflow) = pairs.multipliedReportingOverflow(by: universe.logins.count)
        guard !pairsOverflow, !overflow, count <= AccessUniverse.maximumRequests else {
            throw CertAuthorityError(
                .invalidRequest,
                "\(universe.people.count) people at \(universe.hosts.count) hosts with \(universe.logins.count) accounts: at "
                    + "most \(AccessUniverse.maximumRequests) combinations can be compared")
        }
        var differences: [AccessDifference] = []
        func compare(_ request: AccessRequest) {
            let before = old.decide(request)
            let after = decide(request)
            if before.verdict != after.verdict || old.approvalTerms(before) != approvalTerms(after) {
                differences.append(AccessDifference(request: request, old: before, new: after))
            }
        }
        for person in universe.people {
            // Just logged in: logins that are too old are for the requests that say so.
            let present = Person(
                identity: person.identity, provider: person.provider, subject: person.subject,
                email: person.email,
                groups: person.groups, claims: person.claims, authenticatedAt: now)
            for host in universe.hosts {
                for login in universe.logins {
                    compare(
                        AccessRequest(
                            person: present, key: key, login: login, host: host, sourceAddress: sourceAddress,
                            now: now,
                            reason: "to see what changes"))
                }
            }
        }
        universe.requests.forEach(compare)
        return differences
    }

    /// What an answer that asks for approval asks for, so that who may give it is compared too.
    private func approvalTerms(_ decision: AccessDecision) -> ApprovalDifference? {
        guard case .needsApproval = decision.verdict, let rule = decision.rule.flatMap({ rule(called: $0) })
        else { return nil }
        let emergency = rule.breakGlass ?? breakGlass
        return ApprovalDifference(
            demand: approvalDemand(rule: rule.name), passes: emergency?.allow.words,
            longestPass: emergency?.longest)
    }
}

/// What is compared of approvals.
private struct ApprovalDifference: Equatable {
    let demand: AccessPolicy.ApprovalDemand?
    let passes: String?
    let longestPass: UInt64?
}
