// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire

/// Who may enter which hosts as which account, and with which certificate (docs/formats/access-policy.md).
///
/// A value without a clock, a network or a memory: the same policy answers the same request the same way, always. Every
/// request gets an answer, and what no rule allows is denied.
///
/// A rule counts where its hosts and accounts match. A request is allowed when the `allow` of some rule holds and no
/// `deny` of any rule does; denying wins over allowing, in whichever order rules stand. With nobody logged in, criteria
/// about a person are ``Truth/unknown``, and the answer is at best that somebody has to log in: a certificate names whom
/// it is for.
public struct AccessPolicy: Sendable {
    /// SHA-256 of the file's bytes: 32 bytes.
    public let digest: [UInt8]
    /// What the file says should come out.
    public let tests: [AccessTest]
    /// What is probably not meant as it is written.
    public var warnings: [AccessPolicyWarning] { lint() }

    let rules: [AccessRule]
    private let ruleIndex: RuleIndex
    let administrators: CriteriaBlock?
    /// Who may pass without the approval of rules that have no `break_glass` of their own.
    let breakGlass: BreakGlass?

    /// The largest file, in bytes: 1,000 rules of a kilobyte.
    public static let maximumBytes = 1 << 20
    /// The most rules: a request may meet all of them.
    public static let maximumRules = 1_000
    /// The most criteria of one rule.
    public static let maximumCriteria = 256
    /// The most tests: each change of the file runs all of them against all rules.
    public static let maximumTests = 1_000
    /// The most entries of a rule's `hosts`, and of its `logins`.
    public static let maximumEntries = 256
    /// The longest name of a rule, in bytes.
    public static let maximumNameBytes = 64
    /// Flow collections are how criteria are written: they are not counted as in `config.yaml`.
    static let form = YAMLForm(maximumBytes: maximumBytes, maximumIndicators: nil)

    /// Reads a policy and runs its tests.
    ///
    /// - Parameters:
    ///   - name: the file's name, for errors; fit for a terminal.
    ///   - zones: where time zones come from.
    /// - Throws: `.configuration` as "file: path: reason"; also for a test that does not come out.
    public init(
        yaml: String, name: String, zones: TimeZoneDatabase = .system
    ) throws(CertAuthorityError) {
        try self.init(untestedYAML: yaml, name: name, zones: zones)
        for (index, result) in testResults().enumerated() {
            if let failure = result.failure {
                throw CertAuthorityError(
                    .configuration,
                    "\(name): tests[\(index)]: \(result.test.name.escapedForTerminal): \(failure)",
                    hint: "daypass policy test \(name) shows all tests")
            }
        }
    }

    /// Reads a policy whose tests may fail: for showing them. Nothing must be decided by it.
    public init(
        untestedYAML yaml: String, name: String, zones: TimeZoneDatabase = .system
    ) throws(CertAuthorityError) {
        var root = try Self.form.mapping(yaml, name: name)
        guard try root.text("version") == "1" else {
            throw CertAuthorityError(.configuration, "\(name): version: 1 expected")
        }
        var remaining = Self.maximumCriteria
        administrators = try root.value("administrators").map { value throws(CertAuthorityError) in
            let block = try CriteriaBlock(value, allows: true, zones: zones, remaining: &remaining)
            if let criterion = block.criteria.first(where: { !$0.isAboutAdministrators }) {
                throw value.refuse("\(criterion.name): who administers asks for no host, account or key")
            }
            return block
        }
        breakGlass = try root.value("break_glass").map { value throws(CertAuthorityError) in
            var remaining = Self.maximumCriteria
            return try BreakGlass(value, zones: zones, remaining: &remaining)
        }
        var rules: [AccessRule] = []
        var names: Set<ExactText> = []
        if let value = root.value("rules") {
            for item in try value.items("rules", maximum: Self.maximumRules) {
                let rule = try AccessRule(item, zones: zones)
                guard names.insert(ExactText(rule.name)).inserted else {
                    throw item.refuse("a second rule is called \(rule.name)")
                }
                rules.append(rule)
            }
        }
        self.rules = rules
        ruleIndex = RuleIndex(rules)
        tests = try AccessTest.tests(root.value("tests"), rules: names)
        try root.finish()
        digest = Digest.sha256(Array(yaml.utf8))
    }

    /// The places of the rules that are about a host, ascending.
    func places(about facts: borrowing AccessFacts) -> [Int] {
        var places: [Int] = []
        for place in ruleIndex.candidates(facts) where rules[place].isAbout(host: facts) {
            places.append(place)
        }
        return places
    }

    /// The rules' names, in their order.
    public var ruleNames: [String] { rules.map(\.name) }

    /// Whether somebody may administer; nobody may where the policy doesn't say who.
    ///
    /// - Parameters:
    ///   - now: when they want to.
    ///   - sourceAddress: where they come from.
    public func isAdministrator(_ person: Person, at now: UnixTime, from sourceAddress: IPAddress?) -> Bool {
        let facts = AccessFacts(administrator: person, at: now, from: sourceAddress)
        return administrators?.evaluate(facts) == .yes
    }
}
