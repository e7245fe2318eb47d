"""How people stay signed in: the pages renew their token here before it ends."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from collab.access.renewal import TokenRenewal
from collab.api.deps import PrincipalDep
from collab.api.problems import problems

router = APIRouter(prefix="/api/v1", tags=["sign-in"], responses=problems(401, 503))


class RenewedToken(BaseModel):
    """A fresh token."""

    token: str = Field(description="The token, for the same user and with the same grants.")


def _token_renewal(request: Request) -> TokenRenewal:
    renewal = request.app.state.token_renewal
    assert isinstance(renewal, TokenRenewal)
    return renewal


RenewalDep = Annotated[TokenRenewal, Depends(_token_renewal)]


@router.post("/token", summary="Renew a token", operation_id="renewToken", responses=problems(403))
async def renew_token(renewal: RenewalDep, principal: PrincipalDep) -> RenewedToken:
    """Answer the token of a sign-in link with one that lasts longer.

    The new token has the same user and grants. 403 if the token was not made for signing in, as those of `collab token`
    and of other issuers, or if it already lasts as long as a sign-in may.
    """
    return RenewedToken(token=renewal.renew(principal, time.time()))
