mod ledgers;
