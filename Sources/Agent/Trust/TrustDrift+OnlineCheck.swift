// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

extension TrustDrift {
    /// What the online check needs beside sshd's settings: without its program or its account, no certificate enters.
    mutating func checkOnlineCheck(_ record: TrustRecord) {
        for setting in record.settings {
            switch setting.keyword {
            case "authorizedprincipalscommand":
                let program = String(setting.value.prefix { $0 != " " })
                add(
                    TrustCheck(
                        "online check", program,
                        problem: OnlineCheck.problem(ofProgram: program).map {
                            "\($0); sshd lets no certificate in"
                        }))
            case "authorizedprincipalscommanduser":
                let isKnown = (try? LoginAccounts(files).contains(AccountName(setting.value))) ?? false
                add(
                    TrustCheck(
                        "account \(setting.value)",
                        problem: isKnown ? nil : "this host has no such account; sshd lets no certificate in"
                    ))
            default: continue
            }
        }
    }
}
