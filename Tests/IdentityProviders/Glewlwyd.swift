// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import ControlProtocol
import SSHWire
import TestSupport

/// A Glewlwyd (Debian's package) of its own on a loopback port: an OpenID provider with the device flow, ES256, an
/// account alice in two groups, and a public client.
public final class Glewlwyd: Sendable {
    public let issuer: String
    private let base: String
    private let folder: TemporaryFolder
    private let process: ChildProcess

    /// - Throws: ``TestSupportError`` when it isn't installed or does not come up.
    public init() async throws {
        folder = try TemporaryFolder()
        // It can't choose a port itself, since it has to know its own address.
        let port = try LocalSocket.freePort()
        base = "http://127.0.0.1:\(port)"
        issuer = "\(base)/api/oidc"
        let schema = try Tool.run("gzip", ["-dc", "/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz"])
            .orThrow("the schema of glewlwyd")
        try Tool.run("sqlite3", [folder.path("users.db")], stdin: schema.stdout).orThrow("sqlite3")
        try folder.write(
            Self.settings(base: base, port: port, database: folder.path("users.db")), to: "settings")
        process = try ChildProcess(
            Tool.find("glewlwyd"), ["--config-file=\(folder.path("settings"))"], in: folder.path,
            log: folder.path("log"))
        let base = base
        let _: Bool = try await poll { (try? Self.curl(["\(base)/config"]))?.succeeded == true ? true : nil }
        try setUp()
    }

    /// Does what somebody does in a browser: signs in, allows the client its scope, and enters the code.
    public func approve(userCode: String, as name: String) throws {
        try signIn(as: name)
        let jar = folder.path("\(name).cookies")
        for suffix in ["", "&g_continue"] {
            try Self.curl(["-b", jar, "-o", "/dev/null", "\(base)/api/oidc/device?code=\(userCode)\(suffix)"])
                .orThrow("entering the code")
        }
    }

    /// Does what somebody does in a browser before anything else: signs in, and allows the client its scope.
    public func signIn(as name: String) throws {
        let jar = folder.path("\(name).cookies")
        try send("auth/", #"{"username":"\#(name)","password":"\#(name)-pw"}"#, jar: jar)
        try send("auth/grant/\(Self.clientID)/", #"{"scope":"openid"}"#, method: "PUT", jar: jar)
    }

    /// Registers an address that browsers may be sent back to, instead of those before.
    public func register(redirect: String) throws {
        try send(
            "client/\(Self.clientID)", Self.client(redirect: redirect), method: "PUT",
            jar: folder.path("admin.cookies"))
    }

    /// Where somebody's browser is sent that opens the page, and has signed in already; empty where it stays.
    public func redirect(_ authorizationURL: String, as name: String) throws -> String {
        try Self.curl([
            "-b", folder.path("\(name).cookies"), "-o", "/dev/null", "-w", "%{redirect_url}",
            "\(authorizationURL)&g_continue",
        ]).orThrow("opening the page").stdoutText
    }

    /// Does what somebody's browser does who signed in already: opens the page, and is redirected.
    ///
    /// - Returns: the parameters of the redirect.
    public func authorize(_ authorizationURL: String, as name: String) throws -> [String: String] {
        redirectParameters(try redirect(authorizationURL, as: name))
    }

    public static let clientID = "daypass-test"

    private func setUp() throws {
        let jar = folder.path("admin.cookies")
        // The account that its schema brings.
        try send("auth/", #"{"username":"admin","password":"password"}"#, jar: jar)
        try send("mod/plugin/", try provider(), jar: jar)
        // Users have no groups until the module that keeps them is told of the field.
        let answer = try Self.curl(["-b", jar, "\(base)/api/mod/user/database"]).orThrow(
            "reading the user module")
        let module = try JSONValue(parsing: answer.stdout, maximumBytes: 1 << 16)
        let fields = try JSONValue(
            parsing: Array(
                #"""
                {"groups":{"multiple":true,"read":true,"write":true,"profile-read":false,"profile-write":false},
                "verified":{"multiple":false,"read":true,"write":true,"profile-read":false,"profile-write":false}}
                """#.utf8), maximumBytes: 1 << 10)
        let parameters = (module["parameters"] ?? .object([])).setting("data-format", fields)
        try send("mod/user/database", module.setting("parameters", parameters).text, method: "PUT", jar: jar)
        try send("mod/user/database/reset", "{}", method: "PUT", jar: jar)
        for (name, verified) in [("alice", "yes"), ("mallory", "no")] {
            try send(
                "user/",
                #"""
                {"username":"\#(name)","password":"\#(name)-pw","name":"\#(name)","email":"alice@example.com",
                "enabled":true,"scope":["openid","g_profile"],"groups":["sre","dba"],"verified":"\#(verified)"}
                """#, jar: jar)
        }
        try send("client/", Self.client(redirect: "http://127.0.0.1:8400/callback"), jar: jar)
    }

    private static func client(redirect: String) -> String {
        #"""
        {"client_id":"\#(clientID)","name":"Daypass","confidential":false,"enabled":true,"scope":["openid"],
        "redirect_uri":["\#(redirect)"],"authorization_type":["code","device_authorization"]}
        """#
    }

    /// The plugin that makes an OpenID provider of it.
    private func provider() throws -> String {
        let key = try Tool.run(
            "openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        ).orThrow("openssl genpkey")
        let publicKey = try Tool.run("openssl", ["pkey", "-pubout"], stdin: key.stdout).orThrow(
            "openssl pkey")
        return #"""
            {"module":"oidc","name":"oidc","display_name":"OIDC","parameters":{
            "iss":"\#(issuer)","jwt-type":"ecdsa","jwt-key-size":"256",
            "key":\#(JSONValue.string(key.stdoutText).text),"cert":\#(JSONValue.string(publicKey.stdoutText).text),
            "jwks-show":true,"access-token-duration":3600,"refresh-token-duration":86400,"code-duration":600,
            "refresh-token-rolling":false,"allow-non-oidc":true,"auth-type-code-enabled":true,
            "auth-type-token-enabled":false,"auth-type-id-token-enabled":true,"auth-type-password-enabled":false,
            "auth-type-client-enabled":false,"auth-type-refresh-enabled":false,"auth-type-device-enabled":true,
            "device-authorization-expiration":600,"device-authorization-interval":1,"pkce-allowed":true,
            "subject-type":"public","name-claim":"no","email-claim":"mandatory","scope-claim":"no",
            "claims":[{"name":"groups","user-property":"groups","type":"string","mandatory":false,"on-demand":false,
            "scope":["openid"]},{"name":"email_verified","user-property":"verified","type":"boolean",
            "boolean-value-true":"yes","boolean-value-false":"no","mandatory":false,"on-demand":false,"scope":["openid"]}]}}
            """#
    }

    private func send(_ path: String, _ body: String, method: String = "POST", jar: String) throws {
        try Self.curl([
            "-f", "-b", jar, "-c", jar, "-X", method, "-H", "Content-Type: application/json", "--data-binary",
            body, "-o", "/dev/null", "\(base)/api/\(path)",
        ]).orThrow("\(method) \(path): \(try folder.readText("log").suffix(500))")
    }

    @discardableResult
    private static func curl(_ arguments: [String]) throws -> ToolResult {
        try Tool.run("curl", ["-sS", "--max-time", "10"] + arguments)
    }

    private static func settings(base: String, port: UInt16, database: String) -> String {
        """
        port=\(port)
        bind_address="127.0.0.1"
        external_url="\(base)"
        login_url="login.html"
        api_prefix="api"
        static_files_path="/usr/share/glewlwyd/webapp/"
        allow_origin="*"
        log_mode="console"
        log_level="WARNING"
        cookie_secure=0
        session_key="GLEWLWYD2_SESSION_ID"
        admin_scope="g_admin"
        profile_scope="g_profile"
        user_module_path="/usr/lib/glewlwyd/user"
        client_module_path="/usr/lib/glewlwyd/client"
        user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
        plugin_module_path="/usr/lib/glewlwyd/plugin"
        hash_algorithm="SHA512"
        database = { type = "sqlite3"; path = "\(database)"; };
        static_files_mime_types = ( { extension = ".html"; mime_type = "text/html" } )

        """
    }
}

extension JSONValue {
    /// An object with one member replaced or added.
    fileprivate func setting(_ name: String, _ value: JSONValue) -> JSONValue {
        guard case .object(let members) = self else { return self }
        return .object(members.filter { $0.name != name } + [Member(name, value)])
    }
}
