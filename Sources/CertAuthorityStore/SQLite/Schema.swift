// Daypass: an SSH certificate authority.
// SPDX-License-Identifier: Apache-2.0

import GRDB

/// The database's tables. A migration that has shipped is never changed; a new one follows it.
enum Schema {
    /// "DPLG": tells a ledger from any other SQLite file (`PRAGMA application_id`).
    static let applicationID: Int32 = 0x4450_4c47

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: entries, tiles, certificates, revocations") { db in
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
        return migrator
    }
}
