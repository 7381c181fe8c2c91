//! What a role that is no superuser lacks for a promotion, and whether sessions reach the server at all.

use stagegate_base::redact::Secret;

use super::{DatabaseError, Server, failed, identifier, literal};

/// What the configured role may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Whether it is a superuser, who may do everything.
    pub is_superuser: bool,
    /// The role.
    pub role: String,
    /// The owner of the database where the role is not a member of it.
    pub foreign_owner: Option<String>,
    /// Whether it may create databases.
    pub creates_databases: bool,
    /// Whether it may end other roles' sessions.
    pub ends_sessions: bool,
    /// Owners of objects of the database that the role is not a member of.
    pub object_owners: Vec<String>,
    /// Tables whose row security also holds for the role, as `schema.table`.
    pub hidden_rows: Vec<String>,
    /// What only a superuser can create, and so restore from a dump, in words.
    pub superuser_objects: Vec<String>,
}

impl Rights {
    /// Returns why a promotion cannot work with the role, with the statements that help; `None` where it can.
    #[must_use]
    pub fn refusal(&self, database: &str) -> Option<String> {
        if self.is_superuser {
            return None;
        }
        let name = identifier(&self.role);
        if let Some(first) = self.superuser_objects.first() {
            return Some(format!(
                "role `{}` is no superuser, and only a superuser can restore {first} of database `{database}` from a dump: name one as \
                 `role` in [databases]",
                self.role
            ));
        }
        let mut statements = Vec::new();
        if self.foreign_owner.is_some() {
            statements.push(format!("ALTER DATABASE {} OWNER TO {name}", identifier(database)));
        }
        if !self.creates_databases {
            statements.push(format!("ALTER ROLE {name} CREATEDB"));
        }
        if !self.ends_sessions {
            statements.push(format!("GRANT pg_signal_backend TO {name}"));
        }
        statements.extend(self.object_owners.iter().map(|owner| format!("GRANT {} TO {name}", identifier(owner))));
        if !self.hidden_rows.is_empty() {
            statements.push(format!("ALTER ROLE {name} BYPASSRLS"));
        }
        (!statements.is_empty()).then(|| {
            format!(
                "role `{}` is no superuser and lacks rights on database `{database}`: {}. Run as a superuser: {}",
                self.role,
                self.lacks().join("; "),
                statements.join("; ")
            )
        })
    }

    fn lacks(&self) -> Vec<String> {
        let mut lacks: Vec<String> =
            self.foreign_owner.iter().map(|owner| format!("the database belongs to `{owner}`")).collect();
        if !self.creates_databases {
            lacks.push("it may not create databases".to_owned());
        }
        if !self.ends_sessions {
            lacks.push("it may not end other roles' sessions".to_owned());
        }
        if !self.object_owners.is_empty() {
            lacks.push(format!("objects belong to `{}`", self.object_owners.join("`, `")));
        }
        if !self.hidden_rows.is_empty() {
            lacks.push(format!("row security hides rows of {}", self.hidden_rows.join(", ")));
        }
        lacks
    }

    /// Returns what the operator has to know before a run.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        (!self.is_superuser).then(|| {
            format!(
                "role `{}` is no superuser: data is rolled back by a dump that is made during the freeze, which takes longer than \
                 a swap",
                self.role
            )
        })
    }
}

/// Owners of what a dump gives an owner, without what belongs to an extension or to the server.
const OBJECT_OWNERS: &str = "select distinct pg_get_userbyid(o.owner)::text from (
        select relowner, oid, 'pg_class'::regclass, relnamespace from pg_class where relkind in ('r', 'p', 'v', 'm', 'S', 'f')
        union all select proowner, oid, 'pg_proc'::regclass, pronamespace from pg_proc
        union all select typowner, oid, 'pg_type'::regclass, typnamespace from pg_type where typtype in ('e', 'd', 'r')
        union all select nspowner, oid, 'pg_namespace'::regclass, oid from pg_namespace where nspname <> 'public'
        union all select lomowner, oid, 'pg_largeobject'::regclass, null from pg_largeobject_metadata
    ) o (owner, object, class, namespace)
    left join pg_namespace n on n.oid = o.namespace
    where coalesce(n.nspname !~ '^pg_' and n.nspname <> 'information_schema', true)
        and not pg_has_role(current_user, o.owner, 'MEMBER')
        and not exists (select from pg_depend d where d.classid = o.class and d.objid = o.object and d.deptype = 'e')
    order by 1";
/// What only a superuser creates.
// Source: PostgreSQL manual, CREATE EXTENSION: a trusted one needs CREATE on the database only.
const SUPERUSER_OBJECTS: &str = "select format('extension %s', e.extname) from pg_extension e
        join pg_available_extension_versions v on v.name = e.extname and v.version = e.extversion
        where v.superuser and not v.trusted and e.extname <> 'plpgsql'
    union all select format('event trigger %s', evtname) from pg_event_trigger
    union all select format('subscription %s', subname) from pg_subscription s join pg_database d on d.oid = s.subdbid
        where d.datname = current_database()
    union all select format('the settings of role %s', r.rolname) from pg_db_role_setting s
        join pg_database d on d.oid = s.setdatabase join pg_roles r on r.oid = s.setrole
        where d.datname = current_database() and r.rolname <> current_user
    order by 1";
const HIDDEN_ROWS: &str = "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    join pg_roles r on r.rolname = current_user
    where c.relrowsecurity and not r.rolbypassrls and (c.relforcerowsecurity or not pg_has_role(r.oid, c.relowner, 'USAGE'))
    order by 1";

impl Server {
    /// Reads what the role may do with a database.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn rights(&self, database: &str) -> Result<Rights, DatabaseError> {
        let what = format!("read what role `{}` may do", self.inside.role);
        let refused = |e: tokio_postgres::Error| failed(&what, &e);
        let client = self.open_session().await?;
        let sql = format!(
            "select r.rolsuper, r.rolname::text, case when pg_has_role(r.oid, d.datdba, 'MEMBER') then null \
                    else pg_get_userbyid(d.datdba)::text end, r.rolcreatedb, pg_has_role(r.oid, 'pg_signal_backend', 'USAGE') \
             from pg_roles r, pg_database d where r.rolname = current_user and d.datname = {}",
            literal(database)
        );
        let row = client.query_one(&sql, &[]).await.map_err(refused)?;
        let rights = Rights {
            is_superuser: row.get(0),
            role: row.get(1),
            foreign_owner: row.get(2),
            creates_databases: row.get(3),
            ends_sessions: row.get(4),
            ..Rights::default()
        };
        if rights.is_superuser {
            return Ok(rights);
        }
        let inside = self.connect_to_read(database).await?;
        let names = async |sql: &str| -> Result<Vec<String>, DatabaseError> {
            Ok(inside.query(sql, &[]).await.map_err(refused)?.iter().map(|row| row.get(0)).collect())
        };
        let object_owners = names(OBJECT_OWNERS).await?;
        let superuser_objects = names(SUPERUSER_OBJECTS).await?;
        Ok(Rights { object_owners, superuser_objects, hidden_rows: names(HIDDEN_ROWS).await?, ..rights })
    }

    /// Returns in words that sessions end up in another server than this container's: a connection pooler stands between, which
    /// neither keeps a session's settings nor lets a database be closed to sessions.
    ///
    /// # Errors
    /// [`DatabaseError`] where no session can be made.
    pub async fn pooled(&self, database: &str) -> Result<Option<String>, DatabaseError> {
        let client = self.connect(database).await?;
        // In one message: a pooler may give each statement another server, which knows no prepared statement.
        let sql = "select coalesce(host(inet_server_addr()), 'a socket')";
        let found = client.simple_query(sql).await.map_err(|e| failed("find out where sessions end up", &e))?;
        let place = found.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        let is_own = |place: &str| self.own.iter().any(|address| address.to_string() == place);
        Ok(place.filter(|place| !self.own.is_empty() && !is_own(place)).map(|place| {
            format!(
                "service `{}` of database `{database}` passes sessions on to {place}: it is a connection pooler, behind which a \
                 database can be neither frozen nor dumped. Set `service` of [databases] to the service that runs PostgreSQL itself",
                self.service
            )
        }))
    }

    /// Returns the owner of a database.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn owner(&self, database: &str) -> Result<String, DatabaseError> {
        let client = self.open_session().await?;
        let sql = "select pg_get_userbyid(datdba)::text from pg_database where datname = $1";
        let row = client.query_one(sql, &[&database]).await;
        Ok(row.map_err(|e| failed(&format!("read the owner of database `{database}`"), &e))?.get(0))
    }

    /// Gives a database to a role.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn give(&self, database: &str, role: &str) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[database]).await?;
        let sql = format!("alter database {} owner to {}", identifier(database), identifier(role));
        client.batch_execute(&sql).await.map_err(|e| failed(&format!("change the owner of database `{database}`"), &e))
    }

    /// Lets a role of a temporary server log in as it does on the live one, as a superuser unless it `is_limited`; the password appears in no log of the server.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn let_in(&self, role: &str, password: &Secret, is_limited: bool) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[]).await?;
        let what = format!("let role `{role}` log in");
        let quiet =
            "set log_statement = 'none'; set log_min_duration_statement = -1; set log_min_error_statement = 'panic'";
        client.batch_execute(quiet).await.map_err(|e| failed(&what, &e))?;
        let password = if password.expose().is_empty() { "null".to_owned() } else { literal(password.expose()) };
        let may = if is_limited { "" } else { "superuser " };
        let sql = format!("alter role {} {may}login password {password}", identifier(role));
        client.batch_execute(&sql).await.map_err(|e| failed(&what, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Rights {
        Rights { role: "app".into(), creates_databases: true, ends_sessions: true, ..Rights::default() }
    }

    #[test]
    fn a_role_with_the_rights_is_no_refusal_and_each_missing_one_comes_with_its_statement() {
        assert_eq!(app().refusal("shop"), None);
        assert!(app().note().unwrap().contains("`app` is no superuser"));
        let rights = Rights {
            foreign_owner: Some("root".into()),
            creates_databases: false,
            ends_sessions: false,
            object_owners: vec!["Jobs".into()],
            ..app()
        };
        let text = rights.refusal("shop").unwrap();
        let end = "Run as a superuser: ALTER DATABASE \"shop\" OWNER TO \"app\"; ALTER ROLE \"app\" CREATEDB; GRANT \
                   pg_signal_backend TO \"app\"; GRANT \"Jobs\" TO \"app\"";
        assert!(text.ends_with(end) && text.contains("objects belong to `Jobs`"), "{text}");
    }

    #[test]
    fn what_only_a_superuser_restores_is_refused_by_its_name_and_a_superuser_is_not() {
        let rights = Rights { superuser_objects: vec!["extension postgis".into()], ..app() };
        assert!(rights.refusal("shop").unwrap().contains("can restore extension postgis of database `shop`"));
        let all = Rights { is_superuser: true, ..rights };
        assert_eq!((all.refusal("shop"), all.note()), (None, None));
    }
}
