//! The two requests that the client makes of the shop.

use std::{error::Error, time::Duration};

use serde_json::{Value, json};
use stagegate_host::http::{Http, HttpError, HttpResponse, Request};

/// How long a customer waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the shop is.
#[derive(Clone, Debug)]
pub(crate) struct Shop {
    http: Http,
    url: String,
}

impl Shop {
    pub(crate) fn at(url: &str) -> Result<Self, HttpError> {
        Ok(Shop { http: Http::new()?.deadline(PATIENCE), url: url.trim_end_matches('/').to_owned() })
    }

    /// Reads an order.
    pub(crate) async fn order(&self, id: i64) -> Result<HttpResponse, HttpError> {
        let path = format!("/api/orders/{id}");
        self.http.send_url(&format!("{}{path}", self.url), &Request::get(&path)).await
    }

    /// Places an order; `number` varies customer, item and quantity among those that the sample data has.
    pub(crate) async fn place_order(&self, number: u64) -> Result<HttpResponse, HttpError> {
        let order = json!({
            "customer_id": 1 + number % 5000,
            "item_id": 1 + number % 200,
            "quantity": 1 + number % 5,
        });
        let request = Request::new("POST", "/api/orders")
            .header("content-type", "application/json")
            .body(order.to_string().into_bytes());
        self.http.send_url(&format!("{}/api/orders", self.url), &request).await
    }
}

/// Returns what an address responds.
///
/// # Errors
/// Where no response came or its status is not 200.
pub(crate) async fn body(url: &str) -> Result<String, Box<dyn Error>> {
    let response = Http::new()?.deadline(PATIENCE).send_url(url, &Request::get("/")).await?;
    if response.status != 200 {
        return Err(format!("{url} answered {}, expected 200", response.status).into());
    }
    Ok(response.text())
}

/// Returns the order of a response's body; `None` where it is none.
pub(crate) fn order_of(response: &HttpResponse) -> Option<Value> {
    serde_json::from_slice(&response.body).ok().filter(|order: &Value| order["id"].is_i64())
}
