// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

public import SSHWire
import Synchronization

/// The sign-ins by the server's own pages that have begun. In memory: a restart forgets them, and people begin anew.
public final class PageSignIns: Sendable {
    /// Why a browser does not get on.
    public enum Refusal: Error, Sendable {
        /// There is no such sign-in, or it is over.
        case over
        /// It is in another browser.
        case otherBrowser
        /// It is not at this step: a page that was sent twice, or an answer that came twice.
        case outOfTurn
    }

    /// What somebody said to the question whether the key is theirs.
    public enum Answer: Sendable {
        /// It is: with the match code that they typed.
        case mine(matchCode: String)
        case notMine
    }

    /// What came of it.
    public enum Decision: Sendable {
        case approved
        /// The match code is another one, and may be typed so many times more.
        case wrongCode(left: Int)
        /// It is over.
        case ended(PageSignIn.End, Person)
    }

    /// What the terminal is told.
    public enum Outcome: Sendable {
        case pending
        case approved(Person, sessionKey: PublicKey, from: IPAddress?)
        case refused(SignInFailure)
    }

    /// How long one may take, in seconds: somebody has to find a password and a second factor.
    public static let lifetime: UInt64 = 600
    /// The most at a time, of all and of one source: anybody may begin one.
    public static let capacity = 1_000
    public static let perSource = 64

    fileprivate struct State {
        /// By secret name.
        var signIns: [String: PageSignIn] = [:]
        /// Secret names by link.
        var links: [String: String] = [:]

        mutating func remove(_ id: String) {
            if let removed = signIns.removeValue(forKey: id) { links[removed.link] = nil }
        }
    }

    private let state = Mutex(State())
    private let randomBytes: @Sendable (Int) -> [UInt8]

    init(randomBytes: @escaping @Sendable (Int) -> [UInt8]) { self.randomBytes = randomBytes }

    // MARK: The terminal

    /// Begins one.
    ///
    /// - Parameters:
    ///   - source: where the terminal is, and what of that counts as one source.
    ///   - matchCode: what a terminal shows for this secret name.
    /// - Throws: when there are too many, of all or of this source.
    public func begin(
        provider: String, sessionKey: PublicKey, from source: IPAddress?, network: [UInt8], at now: UnixTime,
        matchCode: (_ id: String) -> String
    ) throws(SignInFailure) -> PageSignIn {
        let id = hexadecimal(randomBytes(32))
        let link = LinkCode.make(randomBytes)
        let new = PageSignIn(
            id: id, link: link, provider: provider, sessionKey: sessionKey, source: source, begun: now,
            expires: now.adding(Self.lifetime) ?? now, matchCode: matchCode(id), network: network)
        let isKept = state.withLock { state in
            for (id, old) in state.signIns where now >= old.expires { state.remove(id) }
            guard state.signIns.count < Self.capacity, state.links[link] == nil,
                state.signIns.values.count(where: { $0.network == network }) < Self.perSource
            else { return false }
            state.signIns[id] = new
            state.links[link] = id
            return true
        }
        guard isKept else {
            throw SignInFailure(
                "too many people are signing in", hint: "try again in a minute", isProviders: true)
        }
        return new
    }

    /// What has become of one; one that is decided is forgotten by that, so that it starts one session.
    ///
    /// - Returns: nil when there is none of this name.
    public func outcome(of id: String, at now: UnixTime) -> Outcome? {
        state.withLock { state in
            guard let found = state.signIns[id], now < found.expires else {
                state.remove(id)
                return nil
            }
            switch found.stage {
            case .approved(let person, let address):
                state.remove(id)
                return .approved(person, sessionKey: found.sessionKey, from: address)
            case .ended(let end):
                state.remove(id)
                return .refused(end.told)
            default: return .pending
            }
        }
    }

    // MARK: The browser

    /// The one with this link, as far as this browser may see it.
    public func signIn(link: String, browser: String?, at now: UnixTime) throws(Refusal) -> PageSignIn {
        let found = state.withLock { $0.find(link, now) }
        guard let found else { throw .over }
        guard !found.isInAnotherBrowser(than: browser) else { throw .otherBrowser }
        return found
    }

    /// Ties it to a browser that goes to the provider. It may do so again, until somebody has signed in: what it had begun
    /// there before is forgotten.
    public func start(
        link: String, browser: String, attempt: any CodeSignIn, at now: UnixTime
    ) throws(Refusal) {
        try change(link, browser, now) { signIn throws(Refusal) in
            switch signIn.stage {
            case .begun, .atProvider: break
            default: throw .outOfTurn
            }
            signIn.browser = PageSignIn.digest(browser)
            signIn.stage = .atProvider(attempt)
        }
    }

    /// Takes out what a browser began at the provider: the answer that it brings back is good once.
    ///
    /// - Parameters:
    ///   - answer: the `state` that came back.
    ///   - provider: whose address it came back to: an answer of another provider is not this sign-in's (RFC 9700
    ///     section 4.4).
    public func take(
        state answer: String, provider: String, browser: String, at now: UnixTime
    ) throws(Refusal) -> (signIn: PageSignIn, attempt: any CodeSignIn) {
        let taken: Result<(PageSignIn, any CodeSignIn), Refusal> = state.withLock { state in
            // By a scan in which each is compared whole: how long it takes tells nothing of the texts.
            var found: (PageSignIn, any CodeSignIn)?
            for signIn in state.signIns.values where now < signIn.expires {
                guard case .atProvider(let attempt) = signIn.stage else { continue }
                if areEqualInConstantTime(Array(attempt.state.utf8), Array(answer.utf8)) {
                    found = (signIn, attempt)
                }
            }
            guard let (signIn, attempt) = found, signIn.provider == provider else { return .failure(.over) }
            guard !signIn.isInAnotherBrowser(than: browser) else { return .failure(.otherBrowser) }
            state.signIns[signIn.id]?.stage = .exchanging
            return .success((signIn, attempt))
        }
        let (signIn, attempt) = try taken.get()
        return (signIn, attempt)
    }

    /// What the provider said to the code.
    public func finish(_ id: String, _ result: Result<Person, SignInFailure>) {
        state.withLock { state in
            guard case .exchanging? = state.signIns[id]?.stage else { return }
            switch result {
            case .success(let person): state.signIns[id]?.stage = .signedIn(person)
            case .failure(let failure): state.signIns[id]?.stage = .ended(.failed(failure))
            }
        }
    }

    /// What somebody says who is signed in.
    ///
    /// - Parameter address: where the browser is.
    public func decide(
        link: String, browser: String, _ answer: Answer, from address: IPAddress?, at now: UnixTime
    ) throws(Refusal) -> Decision {
        var decision = Decision.approved
        try change(link, browser, now) { signIn throws(Refusal) in
            guard case .signedIn(let person) = signIn.stage else { throw .outOfTurn }
            func end(_ end: PageSignIn.End) {
                signIn.stage = .ended(end)
                decision = .ended(end, person)
            }
            switch answer {
            case .notMine: end(.notTheirs)
            case .mine(let code):
                if areEqualInConstantTime(Array(code.utf8), Array(signIn.matchCode.utf8)) {
                    signIn.stage = .approved(person, from: address)
                    return
                }
                signIn.wrongCodes += 1
                let left = PageSignIn.maximumWrongCodes - signIn.wrongCodes
                guard left <= 0 else {
                    decision = .wrongCode(left: left)
                    return
                }
                end(.wrongCodes)
            }
        }
        return decision
    }

    private func change(
        _ link: String, _ browser: String, _ now: UnixTime,
        _ body: (inout PageSignIn) throws(Refusal) -> Void
    ) throws(Refusal) {
        let result: Result<Void, Refusal> = state.withLock { state in
            guard var found = state.find(link, now) else { return .failure(.over) }
            guard !found.isInAnotherBrowser(than: browser) else { return .failure(.otherBrowser) }
            do throws(Refusal) {
                try body(&found)
            } catch {
                return .failure(error)
            }
            state.signIns[found.id] = found
            return .success(())
        }
        try result.get()
    }
}

extension PageSignIns.State {
    fileprivate func find(_ link: String, _ now: UnixTime) -> PageSignIn? {
        guard let normal = LinkCode.normal(link), let id = links[normal], let found = signIns[id],
            now < found.expires
        else { return nil }
        return found
    }
}
