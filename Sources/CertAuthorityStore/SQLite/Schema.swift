// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import GRDB

/// The database's tables. A migration that has shipped is never changed; a new one follows it.
enum Schema {
    /// "DPLG": tells a ledger from any other SQLite file (`PRAGMA application_id`).
    static let applicationID: Int32 = 0x4450_4c47

    /// The migration that makes a ledger: what can be read without changing the file has it.
    static let ledger = "1: entries, tiles, certificates, revocations"

    /// The one that makes what a control plane keeps.
    static let directory = "2: enrolled keys, hosts, sessions"
    static let identityBindings = "3: identity bindings"
    static let apiKeys = "4: API keys"
    static let fleet = "5: join tokens, hosts' agents, their reports"
    static let requests = "6: requests for approval"
    static let fleetTrust = "8: statements of the fleet's root"
    static let alerts = "9: alerts, their deliveries, what entries are about"
    static let spentTokens = "10: used tokens, the policy in force"
    static let ownAgents = "11: which hosts have Daypass's own agent"
    static let principals = "12: who may enter accounts of hosts"
    static let identityCertificates = "13: certificates by identity"

    /// The tables that do not grow with the log, but for the list of what was revoked.
    static let smallTables = [
        "ledger", "revocations", "enrolled_keys", "hosts", "sessions", "identity_bindings", "api_keys",
        "join_tokens", "enrolled_hosts", "record_places", "access_requests", "fleet_trust",
        "host_conditions", "delivery_places", "spent_tokens", "policy_in_force",
        "host_principals",
    ]

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration(ledger) { db in
            // One row: everything that changes with each append.
            try db.execute(
                sql: """
                    CREATE TABLE ledger (
                        id INTEGER PRIMARY KEY CHECK (id = 1),
                        origin TEXT NOT NULL,
                        serial_key BLOB,
                        serial_position INTEGER NOT NULL,
                        size INTEGER NOT NULL,
                        checkpoint BLOB NOT NULL
                    ) STRICT;
                    CREATE TABLE entries (
                        position INTEGER PRIMARY KEY,
                        -- The leaf hash, so that a changed entry can be named and a proof needs no entries.
                        hash BLOB NOT NULL,
                        entry BLOB NOT NULL
                    ) STRICT;
                    -- Complete hash tiles only: what is partial is made from what is below it.
                    CREATE TABLE tiles (
                        level INTEGER NOT NULL,
                        position INTEGER NOT NULL,
                        hashes BLOB NOT NULL,
                        PRIMARY KEY (level, position)
                    ) STRICT, WITHOUT ROWID;
                    -- Unsigned serials and times as the signed number of the same bits.
                    CREATE TABLE certificates (
                        serial INTEGER PRIMARY KEY,
                        entry INTEGER NOT NULL,
                        key_id TEXT NOT NULL
                    ) STRICT;
                    CREATE INDEX certificates_by_key_id ON certificates (key_id);
                    CREATE TABLE revocations (
                        entry INTEGER PRIMARY KEY
                    ) STRICT;
                    """)
        }
        migrator.registerMigration(directory) { db in
            // Lists and mappings are JSON: they are read as a whole, and never searched.
            try db.execute(
                sql: """
                    CREATE TABLE enrolled_keys (
                        fingerprint TEXT PRIMARY KEY,
                        key BLOB NOT NULL,
                        identity TEXT NOT NULL,
                        email TEXT,
                        groups TEXT NOT NULL,
                        added INTEGER NOT NULL
                    ) STRICT;
                    CREATE TABLE hosts (
                        id TEXT PRIMARY KEY,
                        names TEXT NOT NULL,
                        labels TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE sessions (
                        id TEXT PRIMARY KEY,
                        identity TEXT NOT NULL,
                        provider TEXT NOT NULL,
                        subject TEXT NOT NULL,
                        email TEXT,
                        groups TEXT NOT NULL,
                        claims TEXT NOT NULL,
                        authenticated INTEGER NOT NULL,
                        key BLOB NOT NULL,
                        credential TEXT,
                        source TEXT NOT NULL,
                        created INTEGER NOT NULL,
                        expires INTEGER NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration(identityBindings) { db in
            // Names of providers and subjects as bytes: NUL would end a text, and they are compared byte by byte.
            try db.execute(
                sql: """
                    CREATE TABLE identity_bindings (
                        identity TEXT PRIMARY KEY,
                        provider BLOB NOT NULL,
                        subject BLOB NOT NULL,
                        first_seen INTEGER NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration(apiKeys) { db in
            // Secrets are nowhere: only their digests are kept.
            try db.execute(
                sql: """
                    CREATE TABLE api_keys (
                        id TEXT PRIMARY KEY,
                        name TEXT NOT NULL UNIQUE,
                        secret_digest BLOB NOT NULL,
                        groups TEXT NOT NULL,
                        source_addresses TEXT NOT NULL,
                        created INTEGER NOT NULL,
                        expires INTEGER
                    ) STRICT;
                    """)
        }
        migrator.registerMigration(fleet) { db in
            try db.execute(
                sql: """
                    CREATE TABLE join_tokens (
                        id TEXT PRIMARY KEY,
                        secret_digest BLOB NOT NULL,
                        host_pattern TEXT NOT NULL,
                        labels TEXT NOT NULL,
                        expires INTEGER NOT NULL,
                        creator TEXT NOT NULL
                    ) STRICT;
                    CREATE TABLE enrolled_hosts (
                        id TEXT PRIMARY KEY,
                        client_id TEXT NOT NULL UNIQUE,
                        key BLOB NOT NULL,
                        host_keys TEXT NOT NULL,
                        joined INTEGER NOT NULL
                    ) STRICT;
                    -- Written with the entries: how far a host's records have come is what the log has.
                    CREATE TABLE record_places (
                        host TEXT PRIMARY KEY,
                        sequence INTEGER NOT NULL,
                        hash BLOB NOT NULL
                    ) STRICT;
                    CREATE TABLE host_events (
                        entry INTEGER PRIMARY KEY,
                        host TEXT NOT NULL,
                        who TEXT NOT NULL,
                        account TEXT NOT NULL,
                        session TEXT NOT NULL,
                        is_alert INTEGER NOT NULL
                    ) STRICT;
                    CREATE INDEX host_events_by_host ON host_events (host, entry);
                    CREATE INDEX host_events_by_session ON host_events (session, entry);
                    """)
        }
        migrator.registerMigration(requests) { db in
            // What was asked for never changes; approvals and what became of it are JSON, read and written whole.
            try db.execute(
                sql: """
                    CREATE TABLE access_requests (
                        id TEXT PRIMARY KEY,
                        person TEXT NOT NULL,
                        hosts TEXT NOT NULL,
                        login TEXT NOT NULL,
                        sudo INTEGER NOT NULL,
                        permissions TEXT NOT NULL,
                        force_command TEXT,
                        key BLOB,
                        duration INTEGER NOT NULL,
                        reason TEXT NOT NULL,
                        ticket TEXT,
                        rule TEXT NOT NULL,
                        break_glass INTEGER NOT NULL,
                        created INTEGER NOT NULL,
                        expires INTEGER NOT NULL,
                        approvals TEXT NOT NULL,
                        outcome TEXT NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration(fleetTrust) { db in
            // Written with the entries: what hosts are to trust is what the log has.
            try db.execute(sql: "CREATE TABLE fleet_trust (entry INTEGER PRIMARY KEY) STRICT")
        }
        migrator.registerMigration(alerts) { db in
            // Found by what they are about, and not by reading a log: written with the entries.
            try db.execute(
                sql: """
                    CREATE TABLE entry_subjects (
                        subject BLOB NOT NULL,
                        entry INTEGER NOT NULL,
                        PRIMARY KEY (subject, entry)
                    ) STRICT, WITHOUT ROWID;
                    CREATE TABLE alerts (
                        entry INTEGER PRIMARY KEY,
                        event TEXT NOT NULL
                    ) STRICT;
                    -- What began and is not over.
                    CREATE TABLE host_conditions (
                        host TEXT NOT NULL,
                        subject INTEGER NOT NULL,
                        recorded INTEGER NOT NULL,
                        since INTEGER NOT NULL,
                        PRIMARY KEY (host, subject)
                    ) STRICT, WITHOUT ROWID;
                    -- By digests of webhooks' addresses: those are secrets.
                    CREATE TABLE delivery_places (
                        webhook TEXT PRIMARY KEY,
                        entry INTEGER NOT NULL
                    ) STRICT;
                    """)
            try EntryIndex.build(db)
        }
        migrator.registerMigration(spentTokens) { db in
            // Names of tokens as bytes: they come from elsewhere, and NUL would end a text.
            try db.execute(
                sql: """
                    CREATE TABLE spent_tokens (
                        token BLOB PRIMARY KEY,
                        expires INTEGER NOT NULL
                    ) STRICT, WITHOUT ROWID;
                    CREATE INDEX spent_tokens_by_end ON spent_tokens (expires);
                    CREATE TABLE policy_in_force (
                        id INTEGER PRIMARY KEY CHECK (id = 1),
                        digest BLOB NOT NULL
                    ) STRICT;
                    """)
        }
        migrator.registerMigration(ownAgents) { db in
            // Who joined before may have P0's.
            try db.execute(
                sql: "ALTER TABLE enrolled_hosts ADD COLUMN own_agent INTEGER NOT NULL DEFAULT 0")
        }
        migrator.registerMigration(principals) { db in
            try db.execute(
                sql: """
                    CREATE TABLE host_principals (
                        host TEXT NOT NULL,
                        login TEXT NOT NULL,
                        principals TEXT NOT NULL,
                        PRIMARY KEY (host, login)
                    ) STRICT, WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration(identityCertificates) { db in
            // Key IDs are the identity, "#" and the serial, so the serial finds them. Table and index held each of them once
            // more than the log does, and where serials are random, each certificate wrote pages of its own.
            try db.execute(
                sql: """
                    CREATE TABLE identity_certificates (
                        identity TEXT NOT NULL,
                        entry INTEGER NOT NULL,
                        PRIMARY KEY (identity, entry)
                    ) STRICT, WITHOUT ROWID;
                    INSERT INTO identity_certificates
                        SELECT substr(key_id, 1, instr(key_id, '#') - 1), entry FROM certificates ORDER BY 1, 2;
                    DROP INDEX certificates_by_key_id;
                    ALTER TABLE certificates RENAME TO earlier_certificates;
                    CREATE TABLE certificates (
                        serial INTEGER PRIMARY KEY,
                        entry INTEGER NOT NULL
                    ) STRICT;
                    INSERT INTO certificates SELECT serial, entry FROM earlier_certificates ORDER BY serial;
                    DROP TABLE earlier_certificates;
                    """)
        }
        return migrator
    }
}
