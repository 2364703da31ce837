"""Contacts: the people at a client."""

from datetime import datetime
from typing import Optional

from keito.types.common import IdName, Model
from keito.types.request import Request


class Contact(Model):
    """A person at a client."""

    id: str
    client: Optional[IdName] = None
    first_name: Optional[str] = None
    last_name: Optional[str] = None
    title: Optional[str] = None
    email: Optional[str] = None
    phone_office: Optional[str] = None
    phone_mobile: Optional[str] = None
    fax: Optional[str] = None
    created_at: Optional[datetime] = None
    updated_at: Optional[datetime] = None


class ContactCreate(Request):
    """A person to add to a client."""

    client_id: str
    first_name: str
    last_name: Optional[str] = None
    title: Optional[str] = None
    email: Optional[str] = None
    phone_office: Optional[str] = None
    phone_mobile: Optional[str] = None
    fax: Optional[str] = None
