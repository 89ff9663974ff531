//! The datastore and the resources in it (RFC 8040 sections 3.4, 3.5 and 4).

use std::sync::Arc;

use hyper::header::{HeaderName, HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use tokio::task::spawn_blocking;
use tracing::info;
use twinpath_yang::filter::get;
use twinpath_yang::tree::DefaultsMode;
use twinpath_yang::{
    Children, Content, Data, Kind, NodeId, Path, Place, Query, Schema, Scope, Select, edit,
};

use super::media::{Encoding, below};
use super::preconditions::{Preconditions, mark};
use super::refusal::Refusal;
use super::rights::Rights;
use super::{Asked, ROOT, empty, operations, options};
use crate::daemon::control::{By, ChangeError, Changed, Running};
use crate::daemon::operational::with_state;
use crate::daemon::source::Step;
use crate::http::{Reply, User};

/// What clients may send to be merged.
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
const PATCHES: HeaderValue =
    HeaderValue::from_static("application/yang-data+json, application/yang-data+xml");

const ABSENT: &str = "the resource does not exist";
const OF_DATASTORE: &str = "GET, HEAD, OPTIONS, PATCH, POST, PUT";
const OF_CONFIGURATION: &str = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
const OF_STATE: &str = "GET, HEAD, OPTIONS";

/// Answers a request for what is below `/restconf/data`.
pub(super) async fn answer(asked: Asked, path: &str) -> Result<Reply, Refusal> {
    let schema = &asked.model.schema;
    let target = Path::parse_api(schema, path).map_err(|error| Refusal::of_path(&error))?;
    let node = target.node();
    if node.is_some_and(|node| matches!(schema.node(node).kind, Kind::Action)) {
        return operations::act(&asked, &target).await;
    }
    let methods = match node {
        None => OF_DATASTORE,
        Some(node) if schema.node(node).is_config => OF_CONFIGURATION,
        Some(_) => OF_STATE,
    };
    asked.only(methods)?;
    match asked.method {
        Method::OPTIONS => {
            let mut reply = options(methods);
            if methods != OF_STATE {
                reply.headers_mut().insert(ACCEPT_PATCH, PATCHES);
            }
            Ok(reply)
        }
        Method::GET | Method::HEAD => show(asked, target).await,
        _ => change(asked, target).await,
    }
}

/// GET and HEAD.
async fn show(asked: Asked, target: Path) -> Result<Reply, Refusal> {
    let known = ["content", "depth", "fields", "with-defaults"];
    asked.parameters.only(&asked.method, &known)?;
    let schema = &asked.model.schema;
    let query = asked.parameters.query(schema, target.node())?;
    let running = asked.control.running();
    let is_config = query.content == Content::Config;
    let is_of_state = target.node().is_some_and(|it| !schema.node(it).is_config);
    if is_config && is_of_state {
        return Ok(empty(StatusCode::NO_CONTENT));
    }
    let state = if is_config {
        None
    } else {
        Some(asked.control.state().await.ok_or_else(Refusal::late)?)
    };
    let (model, encoding, of) = (asked.model, asked.encoding, Arc::clone(&running));
    let (control, user) = (asked.control.clone(), asked.user.clone());
    let shown = spawn_blocking(move || {
        let rights = Rights::of(model, &control, &user, &of);
        let root = match state.map(|state| rights.of_state(state)) {
            Some(state) => with_state(model, &control, of.configuration.root(), &state, &target),
            None => of.configuration.root().clone(),
        };
        let root = root.with_defaults(&model.schema, query.defaults, Scope::Config);
        let root = rights.visible(root);
        let query = Query {
            defaults: DefaultsMode::Explicit,
            ..query
        };
        let shown = get(&model.schema, &root, &target, &query);
        let shown = shown.ok_or_else(|| Refusal::not_found(ABSENT))?;
        // It has no content of the kind that is asked for.
        if shown.is_empty() && !target.steps().is_empty() {
            return Ok(None);
        }
        written(&model.schema, encoding, &target, &shown).map(Some)
    });
    let shown = shown
        .await
        .map_err(|error| Refusal::broken(&error.to_string()))?;
    let shown = shown?;
    let preconditions = Preconditions::of(&asked.headers);
    let mut reply = match shown {
        _ if is_config && preconditions.is_known(&running, encoding) => {
            empty(StatusCode::NOT_MODIFIED)
        }
        Some(shown) => asked.document(shown),
        None => empty(StatusCode::NO_CONTENT),
    };
    mark(reply.headers_mut(), &running, encoding);
    Ok(reply)
}

fn written(
    schema: &Schema,
    encoding: Encoding,
    target: &Path,
    shown: &Children,
) -> Result<String, Refusal> {
    if target.steps().is_empty() {
        return Ok(encoding.write_whole(schema, shown));
    }
    if encoding == Encoding::Xml && shown.iter().any(|(_, data)| is_several(data)) {
        let line = "several entries are no XML document: write a key, or take JSON";
        return Err(Refusal::invalid(line));
    }
    let parent = target.parent().unwrap_or_default();
    Ok(encoding.write(schema, parent.node(), shown))
}

fn is_several(data: &Data) -> bool {
    match data {
        Data::List(entries) => entries.len() != 1,
        Data::LeafList(values) => values.len() != 1,
        Data::Keyless(entries) => entries.len() != 1,
        Data::Leaf(_) | Data::Container(_) | Data::Any(_) => false,
    }
}

/// POST, PUT, PATCH and DELETE.
async fn change(asked: Asked, target: Path) -> Result<Reply, Refusal> {
    // A large body takes a while.
    let decoded = spawn_blocking(move || {
        let change = Change::of(&asked, target)?;
        Ok::<_, Refusal>((asked, change))
    });
    let decoded = decoded.await;
    let (asked, change) = decoded.map_err(|error| Refusal::broken(&error.to_string()))??;
    let schema = &asked.model.schema;
    let preconditions = Preconditions::of(&asked.headers);
    let edit = change.clone();
    let (model, control, user) = (asked.model, asked.control.clone(), asked.user.clone());
    let make = move |running: &Running| {
        let root = running.configuration.root();
        let rights = Rights::of(model, &control, &user, running);
        edit.check_hidden(&rights)?;
        preconditions.may_change(running, edit.exists(root))?;
        let made = edit.made(schema, root, &rights)?;
        rights.may_change(root, &made)?;
        Ok(made)
    };
    let what = format!("{} {}", asked.method, change.target.text(schema));
    let Changed { from, to } = put(&asked, what, make).await?;
    let created = change.created(schema, from.configuration.root());
    let status = match created {
        Some(_) => StatusCode::CREATED,
        None => StatusCode::NO_CONTENT,
    };
    let mut reply = empty(status);
    mark(reply.headers_mut(), &to, asked.encoding);
    let location = created.map(|path| format!("{ROOT}/data/{}", path.api_text(schema)));
    if let Some(Ok(location)) = location.map(|it| HeaderValue::from_str(&it)) {
        reply.headers_mut().insert(LOCATION, location);
    }
    Ok(reply)
}

/// Puts in force what `make` makes of the configuration; `what` it is, for the log.
async fn put(
    asked: &Asked,
    what: String,
    make: impl FnOnce(&Running) -> Result<Children, Refusal> + Send + 'static,
) -> Result<Changed, Refusal> {
    let (model, control, user) = (asked.model, asked.control.clone(), asked.user.clone());
    let name = match &user {
        User::Named(name) => Arc::clone(name),
        User::Anonymous => "anonymous".into(),
        User::Local => "local".into(),
    };
    let by = By {
        user: name,
        session: 0,
        host: None,
    };
    // To the end, even if the client is gone.
    let change = tokio::spawn(async move {
        let changing = control.begin().await;
        changing.check_unlocked()?;
        let running = Arc::clone(changing.running());
        let from = Arc::clone(&running);
        let root = spawn_blocking(move || make(&from)).await;
        let root = root.map_err(|error| Refusal::broken(&error.to_string()))??;
        let changed = changing.put(root, Some(by), Step::Final).await;
        let changed = changed.map_err(|error| match error {
            ChangeError::Faults(faults) => {
                let rights = Rights::of(model, &control, &user, &running);
                Refusal::of_faults(rights.conceal(faults), &model.schema)
            }
            ChangeError::NotSaved(_)
            | ChangeError::Locked(_)
            | ChangeError::Unconfirmed(_)
            | ChangeError::Late => error.into(),
        })?;
        if changed.from.tag != changed.to.tag {
            info!("configuration changed by {user}: {what}");
        }
        Ok(changed)
    });
    let changed = change.await;
    changed.map_err(|error| Refusal::broken(&error.to_string()))?
}

/// A change that a request asks for.
#[derive(Clone, Debug)]
struct Change {
    target: Path,
    what: What,
    body: Children,
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Create,
    Replace,
    Merge,
    Delete,
}

impl Change {
    fn of(asked: &Asked, target: Path) -> Result<Self, Refusal> {
        let schema = &asked.model.schema;
        let what = match asked.method {
            Method::POST => What::Create,
            Method::PUT => What::Replace,
            Method::PATCH => What::Merge,
            _ => What::Delete,
        };
        let parameters: &[&str] = match what {
            What::Create | What::Replace => &["insert", "point"],
            What::Merge | What::Delete => &[],
        };
        asked.parameters.only(&asked.method, parameters)?;
        let body = match what {
            What::Delete if asked.body.is_empty() => Children::new(),
            What::Delete => return Err(Refusal::malformed("DELETE has no body")),
            What::Create => created_body(asked, &target)?,
            What::Replace | What::Merge => {
                decoded(asked, &target, &target.parent().unwrap_or_default())?
            }
        };
        keeps_key(schema, &target, &body)?;
        let [insert, point] = ["insert", "point"].map(|name| asked.parameters.get(name));
        let place = match (insert.or(point), listed(&target, what, &body)) {
            (Some(_), Some((parent, node))) => {
                let place = edit::place(schema, &parent, node, insert, point);
                place.map_err(|fault| Refusal::of_faults(vec![fault], schema))?
            }
            (Some(_), None) => return Err(Refusal::invalid("insert and point are for entries")),
            (None, _) => None,
        };
        Ok(Self {
            target,
            what,
            body,
            place,
        })
    }

    fn exists(&self, root: &Children) -> bool {
        self.target.steps().is_empty() || root.has(&self.target)
    }

    /// Refuses what the user may neither read nor change as where it does not exist (RFC 8040 sections 4.6 and 4.7).
    fn check_hidden(&self, rights: &Rights<'_>) -> Result<(), Refusal> {
        let is_hidden = !rights.may_read(&self.target);
        let absent = || Refusal::not_found(ABSENT);
        if self.what == What::Delete {
            let may = !is_hidden || rights.may_delete(&self.target);
            return may.then_some(()).ok_or_else(absent);
        }
        let at = match self.what {
            What::Create => self.target.clone(),
            What::Replace | What::Merge | What::Delete => self.target.parent().unwrap_or_default(),
        };
        let may = rights.may_send(&at, &self.body);
        may.map_err(|refusal| match self.what {
            What::Create | What::Merge if is_hidden => absent(),
            What::Create | What::Merge | What::Replace | What::Delete => refusal,
        })
    }

    /// The tree that it makes.
    fn made(
        &self,
        schema: &Schema,
        root: &Children,
        rights: &Rights<'_>,
    ) -> Result<Children, Refusal> {
        let (target, body, place) = (&self.target, &self.body, self.place.clone());
        let is_there =
            self.exists(root) || self.what != What::Delete && is_implied(schema, target, root);
        if self.what != What::Replace && !is_there {
            return Err(Refusal::not_found(ABSENT));
        }
        let made = match self.what {
            What::Create => edit::post(schema, root, target, body, place).map(|(root, _)| root),
            What::Replace => edit::put(schema, root, target, body, place).map(|(root, _)| root),
            What::Merge => edit::patch(schema, root, target, body),
            What::Delete => edit::delete(schema, root, target),
        };
        made.map_err(|fault| Refusal::of_faults(rights.conceal(vec![fault]), schema))
    }

    /// What it created where there was this tree.
    fn created(&self, schema: &Schema, root: &Children) -> Option<Path> {
        match self.what {
            What::Create => edit::post(schema, root, &self.target, &self.body, None)
                .ok()
                .map(|(_, path)| path),
            What::Replace => (!self.exists(root)).then(|| self.target.clone()),
            What::Merge | What::Delete => None,
        }
    }
}

/// Refuses another value of a key: an entry with another key is another entry.
fn keeps_key(schema: &Schema, target: &Path, body: &Children) -> Result<(), Refusal> {
    let Some((last, around)) = target.steps().split_last() else {
        return Ok(());
    };
    let Some(Select::Key(key)) = around.last().map(|entry| &entry.select) else {
        return Ok(());
    };
    let entries = around
        .last()
        .and_then(|entry| schema.node(entry.node).list());
    let mut keys = entries.into_iter().flat_map(|list| &list.keys).zip(key);
    let old = keys.find_map(|(leaf, value)| (*leaf == last.node).then_some(value));
    let new = body.get(last.node).and_then(Data::leaf);
    match (old, new) {
        (Some(old), Some(new)) if old != new => Err(Refusal::invalid(
            "a key stays as it is: create an entry with the other key",
        )),
        _ => Ok(()),
    }
}

/// Whether a resource that has nothing exists: a container that needs no presence.
fn is_implied(schema: &Schema, target: &Path, root: &Children) -> bool {
    let is_plain = |node| schema.node(node).is_plain_container();
    let parent = target.parent().unwrap_or_default();
    target.node().is_some_and(is_plain)
        && (parent.steps().is_empty() || root.has(&parent) || is_implied(schema, &parent, root))
}

/// The list that a request puts an entry into, and what is around it.
fn listed(target: &Path, what: What, body: &Children) -> Option<(Path, NodeId)> {
    if what == What::Create {
        let (node, _) = body.iter().next()?;
        return Some((target.clone(), node));
    }
    let last = target.steps().last()?;
    (last.select != Select::All).then_some(())?;
    Some((target.parent()?, last.node))
}

/// What is created below a resource.
fn created_body(asked: &Asked, target: &Path) -> Result<Children, Refusal> {
    let schema = &asked.model.schema;
    let Some(last) = target.steps().last() else {
        return decoded(asked, target, target);
    };
    let name = &schema.node(last.node).name;
    let parent = target.parent().unwrap_or_default();
    let above = format!("{ROOT}/data/{}", parent.api_text(schema));
    let above = above.trim_end_matches('/');
    match &schema.node(last.node).kind {
        Kind::List(_) | Kind::LeafList { .. } if last.select == Select::All => {
            let line = format!("{name}: POST one entry of it to {above}");
            return Err(Refusal::invalid(&line));
        }
        Kind::Leaf { .. } | Kind::LeafList { .. } => {
            let line = format!("{name}: nothing is below it: use PUT for its value");
            return Err(Refusal::invalid(&line));
        }
        Kind::List(_)
        | Kind::Container { .. }
        | Kind::Choice { .. }
        | Kind::Case
        | Kind::Anydata { .. }
        | Kind::Rpc
        | Kind::Action
        | Kind::Input
        | Kind::Output
        | Kind::Notification => {}
    }
    decoded(asked, target, target).map_err(|refusal| {
        // The resource itself, where what is below it is wanted.
        let is_itself = decoded(asked, &parent, &parent).is_ok_and(|it| it.get(last.node).is_some());
        if is_itself {
            let line = format!(
                "{name}: POST has what is created below it: POST {name} to {above}, or use PUT or PATCH"
            );
            return Refusal::invalid(&line);
        }
        refusal
    })
}

/// The body: the whole datastore, or what is below `at`.
fn decoded(asked: &Asked, target: &Path, at: &Path) -> Result<Children, Refusal> {
    let schema = &asked.model.schema;
    let encoding = Encoding::of_body(&asked.headers).ok_or_else(Refusal::unsupported_type)?;
    if target.steps().is_empty() && asked.method != Method::POST {
        return encoding.read_whole(schema, &asked.body);
    }
    let mut options = below(at.clone());
    options.key = match target.steps().last().map(|last| &last.select) {
        Some(Select::Key(key)) if at != target => Some(key.clone()),
        Some(_) | None => None,
    };
    encoding.read(schema, &asked.body, &options)
}
