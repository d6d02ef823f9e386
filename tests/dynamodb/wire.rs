//! Stands between the SDK and the emulator: counts the requests, and loses, delays or refuses them.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_sdk_dynamodb::error::ConnectorError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

/// The fate of a request.
#[derive(Clone, PartialEq, Debug)]
pub enum Fate {
    Arrives,
    /// It is refused with this status and code, and not applied.
    Refused(u16, &'static str),
    /// It is applied, and the answer is this status and no more.
    Answered(u16),
    /// It is applied, and its answer never comes.
    ReplyLost,
    /// It is lost on the way, which looks the same.
    Lost,
    /// It is applied, and the answer is cut off.
    Garbled,
    /// It never gets an answer; it is not applied.
    Hangs,
    /// It gets the answer to another request.
    Replayed(Vec<u8>),
}

type Plan = Arc<dyn Fn(&str) -> Fate + Send + Sync>;

#[derive(Clone)]
pub struct Wire {
    inner: SharedHttpClient,
    sent: Arc<Mutex<Vec<Sent>>>,
    plan: Arc<Mutex<Plan>>,
    /// The last answer that arrived as it was.
    answer: Arc<Mutex<Vec<u8>>>,
}

struct Sent {
    operation: String,
    body: Vec<u8>,
}

impl Wire {
    pub fn new() -> Self {
        Self {
            inner: aws_smithy_http_client::Builder::new().build_http(),
            sent: Arc::default(),
            plan: Arc::new(Mutex::new(Arc::new(|_| Fate::Arrives))),
            answer: Arc::default(),
        }
    }

    /// Returns the operations that were sent since the last call.
    pub fn take(&self) -> Vec<String> {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap());
        sent.into_iter().map(|sent| sent.operation).collect()
    }

    /// Returns whether each read since the last call asked for consistency.
    pub fn consistent(&self) -> Vec<bool> {
        let sent = std::mem::take(&mut *self.sent.lock().unwrap());
        let reads = sent.into_iter().filter(|sent| sent.operation == "GetItem");
        reads
            .map(|sent| {
                let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
                body["ConsistentRead"].as_bool().unwrap_or_default()
            })
            .collect()
    }

    /// Returns the answer to the last request.
    pub fn answer(&self) -> Vec<u8> {
        self.answer.lock().unwrap().clone()
    }

    /// Sets the fate of each request from now on.
    pub fn plan(&self, plan: impl Fn(&str) -> Fate + Send + Sync + 'static) {
        *self.plan.lock().unwrap() = Arc::new(plan);
    }

    /// Sets the fate of the next request of this operation, and of no other.
    pub fn once(&self, operation: &'static str, fate: Fate) {
        self.times(1, operation, fate);
    }

    pub fn times(&self, times: usize, operation: &'static str, fate: Fate) {
        let left = Mutex::new(times);
        self.plan(move |sent| {
            let mut left = left.lock().unwrap();
            if sent != operation || *left == 0 {
                return Fate::Arrives;
            }
            *left -= 1;
            fate.clone()
        });
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { wire: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Connector {
    wire: Wire,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let plan = self.wire.plan.lock().unwrap().clone();
        let fate = plan(&operation);
        let body = request.body().bytes().unwrap_or_default().to_vec();
        self.wire.sent.lock().unwrap().push(Sent { operation, body });
        let (inner, recorded) = (self.inner.clone(), self.wire.answer.clone());
        HttpConnectorFuture::new(async move { suffer(fate, request, inner, &recorded).await })
    }
}

async fn suffer(
    fate: Fate,
    request: HttpRequest,
    inner: SharedHttpConnector,
    recorded: &Mutex<Vec<u8>>,
) -> Result<HttpResponse, ConnectorError> {
    match fate {
        Fate::Arrives => {
            let (whole, bytes) = read_whole(inner.call(request).await?).await;
            *recorded.lock().unwrap() = bytes;
            Ok(whole)
        }
        Fate::Replayed(bytes) => Ok(answer(200, bytes)),
        Fate::Refused(status, code) => {
            let body = format!(r#"{{"__type":"com.amazonaws.dynamodb#{code}","message":"no"}}"#);
            Ok(answer(status, body))
        }
        Fate::Answered(status) => {
            applied(inner.call(request).await?).await;
            Ok(answer(status, ""))
        }
        Fate::ReplyLost => {
            applied(inner.call(request).await?).await;
            Err(broken())
        }
        Fate::Lost => Err(broken()),
        Fate::Garbled => {
            let (mut whole, bytes) = read_whole(inner.call(request).await?).await;
            *whole.body_mut() = SdkBody::from(&bytes[..bytes.len() / 2]);
            Ok(whole)
        }
        Fate::Hangs => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Err(broken())
        }
    }
}

async fn applied(answer: HttpResponse) {
    assert!(answer.status().is_success() || answer.status().as_u16() == 400);
    read(answer.into_body()).await;
}

async fn read_whole(mut answer: HttpResponse) -> (HttpResponse, Vec<u8>) {
    let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
    let bytes = read(body).await;
    *answer.body_mut() = SdkBody::from(bytes.clone());
    (answer, bytes)
}

async fn read(body: SdkBody) -> Vec<u8> {
    aws_smithy_types::byte_stream::ByteStream::new(body).collect().await.unwrap().to_vec()
}

fn answer(status: u16, body: impl Into<SdkBody>) -> HttpResponse {
    let mut answer = HttpResponse::new(status.try_into().unwrap(), body.into());
    answer.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    answer
}

fn broken() -> ConnectorError {
    ConnectorError::io(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into())
}
